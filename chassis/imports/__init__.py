"""Files that are taken in row by row, whatever their rows are: read and judged, kept, resumed, taken back.

`text_files` and `workbooks` read them; `models` is how far each is; `uploads`, `previews`, `running`, `errors` and
`keeping` are what happens to each in turn, `left_over` what no import names. What a row means, its service says.
"""
