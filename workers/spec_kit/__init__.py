"""A small tool for shell tasks: writes a specification kit (constitution, prd, plan, tasks), checks one, packs one.

The templates ``generate_spec_kit`` and ``validate_spec_kit`` call it: ``python -m workers.spec_kit --help``.
"""
