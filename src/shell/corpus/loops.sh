f(){ f;f; }
f
while :;do f;done
for i in 1 2 3 4 5 6 7 8;do for j in $i$i;do f;done;done