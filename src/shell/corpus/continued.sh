i\
f x
>y if
$\
(x)
$"a"
x$
<<\E
\E
E
