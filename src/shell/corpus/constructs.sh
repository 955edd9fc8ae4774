#!/bin/sh
# One of everything.
[ -f /marker ] || exit 0
A=1 B="x $A" C='y' D=$((A + 2)) E=`echo a \`echo b\``
f() { local x=$1; shift; echo "$x" "$@"; return 1; }
function g { f a b; }
if f "$A"; then g; elif ! true; then :; else false; fi > /dev/null 2>&1
for i in 1 2 $B; do [ $i = 2 ] && continue; echo ${i:-x} ${i%.*} ${#i}; done
while read -r l; do case $l in a*|b) break;; (*) echo "$l";; esac; done < /etc/x
until false; do sleep 1; break; done
cat <<E1 <<-'E2' | tr -d x &
$A $(date)
E1
	raw $A
	E2
(cd /; { mount -t nfs 198.51.100.7:/x /mnt; })
[[ $A == 1 && $B =~ ^(x|y) ]] && arr=(a "b c") && echo ${arr[@]} ${arr[1]}
sh -c "wget http://203.0.113.5/$A"; eval "echo $A"; trap 'rm /x' EXIT
. /etc/a.conf
diff <(a) <(b) <<< "$A"
