i
x