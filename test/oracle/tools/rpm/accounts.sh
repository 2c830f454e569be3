# Packages whose %pre scripts make the accounts that their own files belong to. Sourced by make-case.sh after specs.sh.
# What runs the scripts is this machine's bash, getent, groupadd and useradd (shadow), unowned in the image.

SERVER_PRE='%pre
getent group labdata >/dev/null || groupadd -g 482 -r labdata
getent group labsrv >/dev/null || groupadd -r labsrv
getent passwd labsrv >/dev/null || \
    useradd -r -g labsrv -d /var/lib/labsrv -s /sbin/nologin -c "Lab server" labsrv
exit 0'
APP_PRE='%pre
if [ $1 -eq 2 ]; then
  /usr/bin/getent passwd labapp >/dev/null 2>&1 || /usr/sbin/useradd -r -u 377 -d / -s /sbin/nologin labapp 2>/dev/null || :
fi'

account_packages() { # V1 V2
  base_system "$1"
  spec labapp 1 "$1" "BuildArch: noarch" 'mkdir -p usr/bin var/lib/labapp; echo 1 >usr/bin/labapp; echo s >var/lib/labapp/state' '%attr(0755,root,root) /usr/bin/labapp
/var/lib/labapp'
  spec labapp 2 "$2" "BuildArch: noarch
Requires: labsrv" 'mkdir -p usr/bin var/lib/labapp; echo 2 >usr/bin/labapp; echo s >var/lib/labapp/state; echo w >var/lib/labapp/web' '%attr(6755,labapp,labapp) /usr/bin/labapp
%attr(0750,labapp,labapp) %dir /var/lib/labapp
%attr(0600,labapp,labapp) /var/lib/labapp/state
%attr(0640,labapp,labsrv) /var/lib/labapp/web' w3.zstdio "$APP_PRE"
  spec labsrv 1 "$2" "BuildArch: noarch" 'mkdir -p var/lib/labsrv/tmp var/log/labsrv usr/sbin; echo s >usr/sbin/labsrv; echo i >var/lib/labsrv/index' '%attr(0755,root,root) /usr/sbin/labsrv
%attr(0770,labsrv,labsrv) %dir /var/lib/labsrv
%attr(0700,labsrv,labdata) /var/lib/labsrv/tmp
%attr(0644,labsrv,labsrv) /var/lib/labsrv/index
%attr(2755,labsrv,labdata) %dir /var/log/labsrv' w3.zstdio "$SERVER_PRE"
}

account_tools() { # ROOT: what the scripts call, with its libraries
  local tool library
  for tool in bash getent groupadd useradd; do
    tool=$(command -v $tool)
    cp "$(realpath "$tool")" "$1/usr/$([ "${tool%sbin/*}" = "$tool" ] && echo bin || echo sbin)/${tool##*/}"
    ldd "$tool" | sed -n 's/[^/]*\(\/[^ ]*\) (.*/\1/p' | while read -r library; do
      mkdir -p "$1/${library%/*}"; cp -L "$library" "$1/$library"
    done
  done
  ln -sf bash "$1/usr/bin/sh"
  printf 'passwd: files\ngroup: files\nshadow: files\n' >"$1/etc/nsswitch.conf"
  printf 'UID_MIN 1000\nGID_MIN 1000\nSYS_UID_MIN 201\nSYS_UID_MAX 999\nSYS_GID_MIN 201\nSYS_GID_MAX 999\nUSERGROUPS_ENAB yes\nMAIL_DIR /var/spool/mail\n' >"$1/etc/login.defs"
  printf 'sshd:x:74:74:sshd:/:/sbin/nologin\nold:x:150:150:old:/:/sbin/nologin\n' >>"$1/etc/passwd"
  printf 'sshd:x:74:\nold:x:150:\ninput:x:995:\n' >>"$1/etc/group"
  printf 'root:::\nbin:::\n' >"$1/etc/gshadow"
}
