a $(cat <<E
x
) b
E
)
((
))
