"""Wrong inputs to every program, as tables; tests/faults/test_bad_inputs.py runs them."""
