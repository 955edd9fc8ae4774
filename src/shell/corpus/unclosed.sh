if true
then "
x ${a
`