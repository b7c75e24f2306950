"""Wrong inputs of every program, as data; tests/test_bad_inputs.py runs them."""
