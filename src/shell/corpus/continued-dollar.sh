i\
f x
>y if
$\
f x
>y ifx$
<<\E
\E
E
