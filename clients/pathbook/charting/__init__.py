"""Pictures of a book as SVG text: values in, text out, the same text for the same values.

- `ladder`: what each tier paid, beside the suggested price. `path`: the hands of a unit, title above goods.
- `stock`: the units of a party by the days until they expire. `flow`: the units of a batch from tier to tier, and
  where they stopped. `chain`: who authorized whom.
- `drawing`: the SVG, its colors in both schemes, and texts of strangers. `scales`: axes. `showing`: what a picture
  leaves out.

What is not here: calls, messages, files, clocks and PNG (the command line).
"""
