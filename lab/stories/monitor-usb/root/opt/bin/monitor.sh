#!/bin/sh
@guard@
while sleep 1; do
	cat /dev/ecg > /dev/fb0
done
