"""The rules, a module each: what they look at in the state, and what they make of it."""
