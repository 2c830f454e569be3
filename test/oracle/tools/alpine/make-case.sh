#!/usr/bin/env bash
# Builds one Alpine or Wolfi case: a real image with upgrades pending, a signed repository, and the tree
# that the real apk makes of it. Root file systems come from data/alpine (ROOTFS=file, TARGET=file: others).
# Beside what every case has, real.log is what apk said; verdicts*.txt, accounts/, checks.env, repositories,
# keys/ and tools/ (an apk for images that have none) are what checks.sh needs. Needs root, x86_64, umoci, openssl.
# Unless `cases` says otherwise the expectation is `apk upgrade` with scripts, in a chroot of the image.
# usage: make-case.sh CASE [OUT]     cases: see the file `cases`; KEEP=1 keeps the real tree as OUT/CASE/real
set -euo pipefail
export PYTHONDONTWRITEBYTECODE=1 LC_ALL=C
umask 022
here=$(cd "$(dirname "$0")" && pwd)
data=${ONLAY_SHARED:-$here/../..}/data
name=$1
mkdir -p "${2:-.oracle}"
case_dir=$(cd "${2:-.oracle}" && pwd)/$name
rm -rf "$case_dir"
work=$case_dir/work; mkdir -p "$work" "$case_dir/serve" "$case_dir/keys" "$case_dir/exact.d"
image=$case_dir/base:base key=$work/oracle.rsa
upstream=https://dl-cdn.alpinelinux.org/alpine        # what the image's own repositories file says

rootfs() { echo "${ROOTFS:-$data/alpine/alpine-minirootfs-$1.tar.gz}"; }
unpack() { mkdir -p "$2"; tar -xpzf "$1" -C "$2" --numeric-owner --xattrs; }

# --- image: layers are added as tars, or as what changed in $root since open_image
new_image() {   # ARCHITECTURE
  umoci init --layout "$case_dir/base"
  umoci new --image "$image"
  umoci config --image "$image" --os linux --architecture "$1" --config.cmd /bin/sh
}
add_layer() { gzip -dc "$1" >"$work/layer.tar"; umoci raw add-layer --image "$image" "$work/layer.tar"; rm "$work/layer.tar"; }
open_image() { rm -rf "$work/bundle"; umoci unpack --image "$image" "$work/bundle" 2>/dev/null; root=$work/bundle/rootfs; }
close_image() { umoci repack --image "$image" "$work/bundle" 2>/dev/null; umoci gc --layout "$case_dir/base"; }

# --- apk: in a chroot of the image, or (CHROOT empty) the apk of Alpine 3.20 with --root
make_tools() {
  unpack "$data/alpine/alpine-minirootfs-3.20.3-x86_64.tar.gz" "$work/alpine"
  mkdir -p "$case_dir/tools/lib"
  cp "$work/alpine/sbin/apk" "$case_dir/tools/"
  cp "$work"/alpine/lib/{ld-musl-x86_64.so.1,libapk.so.*,libcrypto.so.3,libssl.so.3,libz.so.1} "$case_dir/tools/lib/"
  cat >"$case_dir/tools/run-apk" <<'W'
#!/bin/sh
t=$(cd "$(dirname "$0")" && pwd)
exec "$t/lib/ld-musl-x86_64.so.1" --library-path "$t/lib" "$t/apk" "$@"
W
  chmod +x "$case_dir/tools/run-apk"
}
# apk_with REPOSITORIES DIR ROOT ARGS…: REPOSITORIES has lines "TAG|- PATH", below DIR.
# Scripts get a /dev/null; it is taken away again.
apk_with() {
  local list=$1 from=$2 at=$3 tag path prefix=$2 status=0; shift 3
  [ -z "$CHROOT" ] || prefix=/.oracle/r
  while read -r tag path; do [ "$tag" = - ] && tag= || tag="$tag "; echo "$tag$prefix/$path"; done <"$list" >"$work/list"
  [ ! -d "$at/dev" ] || mknod -m 666 "$at/dev/null" c 1 3
  if [ -n "$CHROOT" ]; then
    mkdir "$at/.oracle"; cp -a "$from" "$at/.oracle/r"; cp "$work/list" "$at/.oracle/list"
    chroot "$at" /sbin/apk --no-cache --repositories-file /.oracle/list "$@" || status=$?
    rm -rf "$at/.oracle"
  else
    "$case_dir/tools/run-apk" --root "$at" --arch "$ARCH" --keys-dir "$case_dir/keys" --no-cache --repositories-file "$work/list" "$@" || status=$?
  fi
  rm -f "$at/dev/null"
  return $status
}
# index FOLDER [ALGORITHM]: APKINDEX.tar.gz by the real apk, signed with openssl
index() {
  (cd "$1" && "$case_dir/tools/run-apk" index -q --no-warnings --keys-dir "$case_dir/keys" --allow-untrusted -d oracle -o "$work/index" ./*.apk)
  python3 -c 'import sys; sys.path.insert(0, sys.argv.pop(1)); import apkbuild; apkbuild.sign_index(*sys.argv[1:])' \
    "$here" "$work/index" "$1/APKINDEX.tar.gz" "$key" "${2:-RSA}"
}
make_key() {
  openssl genrsa -out "$key" 2048 2>/dev/null
  openssl rsa -in "$key" -pubout -out "$case_dir/keys/oracle.rsa.pub" 2>/dev/null
}
# repository of one branch: main (built by the caller) and a community with something unrelated in it
two_repositories() {   # BRANCH ARCH
  python3 - "$here" "$case_dir/serve/alpine/$1/community/$2" "$key" "$2" <<'P'
import sys
sys.path.insert(0, sys.argv[1])
from apkbuild import Package
Package("unrelated", "1.0-r0", sys.argv[4]).dirs("usr").file("usr/unrelated", "x").build(*sys.argv[2:4])
P
  index "$case_dir/serve/alpine/$1/main/$2"; index "$case_dir/serve/alpine/$1/community/$2"
  printf -- '- alpine/%s/main\n- alpine/%s/community\n' "$1" "$1" >"$case_dir/repositories"
}
# What a user may have done to links of busybox: a stale one, one to put back, one taken by a file, a foreign one.
touch_links() {
  ln -s /bin/busybox "$root/usr/bin/no-such-applet"
  rm "$root/usr/bin/wget" "$root/bin/chmod"
  rm "$root/usr/bin/less"; printf '#!/bin/sh\ncat "$@"\n' >"$root/usr/bin/less"; chmod 755 "$root/usr/bin/less"
  ln -s ../../bin/busybox "$root/usr/bin/relative-link"
}
trust_key() { cp "$case_dir/keys/oracle.rsa.pub" "$root/etc/apk/keys/"; }
branch() { sed -n 's|.*/alpine/\([^/]*\)/main.*|\1|p' "$root/etc/apk/repositories"; }
arguments() { printf '%s\n' "$@" >"$case_dir/args"; }
mirror() { arguments --mirror "$upstream={SERVE}/alpine"; }

# --- expectation: upgrade a copy of the finished image, snapshot it, ask apk for its verdicts
accounts=
allow() { printf '%s\n' "$@" >>"$work/allow"; }
allow_klogd() {   # BASE REAL
  ! grep -q ^klogd: "$1/etc/passwd" && grep -q ^klogd: "$2/etc/passwd" || return 0
  local why="the post-upgrade script of busybox 3.20 adds a user klogd that fresh 3.20 images lack: both are right; checks.sh lets only these two contents pass"
  mkdir -p "$case_dir/accounts/base" "$case_dir/accounts/real"
  cp -a "$1"/etc/{passwd,group,shadow} "$case_dir/accounts/base/"
  cp -a "$2"/etc/{passwd,group,shadow}{,-} "$case_dir/accounts/real/"
  local f; for f in passwd group shadow; do
    allow "{\"path\": \"etc/$f\", \"fields\": [\"sha256\", \"size\"], \"why\": \"$why\"}" \
      "{\"path\": \"etc/$f-\", \"missing\": true, \"extra\": true, \"why\": \"backup made when klogd was added\"}"
  done
}
expect() {   # DATABASE-DIRECTORY COMMAND…: COMMAND gets the root as its last argument
  local db=$1 f; shift
  rm -rf "$work/bundle" "$work/final"; umoci unpack --image "$image" "$work/final" 2>/dev/null
  local base=$work/final/rootfs real=$work/real
  cp -a "$base" "$real"
  "$@" "$real" >"$case_dir/real.log" 2>&1 || { cat "$case_dir/real.log" >&2; echo "$name: the real apk failed" >&2; exit 1; }
  python3 "$here/../lib/tree.py" "$real" >"$case_dir/expected.jsonl"
  allow_klogd "$base" "${accounts:-$real}"
  { echo '['; paste -sd, "$work/allow" 2>/dev/null | sed 's/},{/},\n{/g' || true; echo ']'; } >"$case_dir/allow.json"
  printf '%s\n' "$db"/{installed,scripts.tar,triggers} etc/apk/world >"$case_dir/exact"
  while read -r f; do mkdir -p "$case_dir/exact.d/$(dirname "$f")"; cp "$real/$f" "$case_dir/exact.d/$f"; done <"$case_dir/exact"
  cp "$here/checks.sh" "$case_dir/checks.sh"
  printf 'CHROOT=%s\nARCH=%s\nNAMES="%s"\nRUN=%s\n' "$CHROOT" "$ARCH" "$NAMES" "$RUN" >"$case_dir/checks.env"
  "$case_dir/checks.sh" --record "$base" >"$case_dir/verdicts.base.txt"
  "$case_dir/checks.sh" --record "$real" >"$case_dir/verdicts.txt"
  [ -z "$CHROOT" ] || rm -rf "$case_dir/tools" "$case_dir/keys"
  [ -z "${KEEP:-}" ] || mv "$real" "$case_dir/real"
  rm -rf "$work"
  echo "$name: $(grep -c '^([0-9]*/[0-9]*) [UPI]' "$case_dir/real.log") changes, $(wc -l <"$case_dir/expected.jsonl") paths"
}
upgrade() { apk_with "$case_dir/repositories" "$case_dir/serve" "$1" upgrade; }
# Not in a chroot, so a new apk-tools cannot be started to continue; the set of changes is the same.
upgrade_without_scripts() { apk_with "$case_dir/repositories" "$case_dir/serve" "$1" upgrade --no-scripts --no-self-upgrade; }
# shellcheck disable=SC2086
upgrade_names() { apk_with "$case_dir/repositories" "$case_dir/serve" "$1" upgrade $NAMES; }

# --- base images
alpine_base() {   # VERSION-ARCH [GOARCH]
  new_image "${2:-amd64}"
  add_layer "$(rootfs "$1")"
  open_image
  branch=$(branch)
}
report_repository() {
  python3 "$here/rebuild.py" "$work/target" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key" --bump 2
  two_repositories "$branch" "$ARCH"
  # The fix of libcrypto3 is older than what the repository has; apk-tools, musl and others are newer there but not asked for.
  local version; version() { awk -v n="$1" -F: '$1=="P"{p=$2} $1=="V"&&p==n{print $2}' "$work/target/lib/apk/db/installed"; }
  raise() { version=$(version "$1"); echo "$1=${version%-r*}-r$((${version##*-r} + $2))"; }
  python3 "$here/report.py" "$root" "$(raise libcrypto3 1)" "$(raise libssl3 2)" "$(raise busybox 2)" >"$case_dir/report.json"
  NAMES="libcrypto3 libssl3 busybox"
}

CHROOT=1 ARCH=x86_64 NAMES= RUN=1
make_key
make_tools
case $name in
alpine-3.19-to-3.20 | alpine-3.17-to-3.20)
  case $name in *3.17-*) alpine_base 3.17.10-x86_64 ;; *) alpine_base 3.19.4-x86_64 ;; esac
  unpack "${TARGET:-$data/alpine/alpine-minirootfs-3.20.3-x86_64.tar.gz}" "$work/target"
  python3 "$here/rebuild.py" "$work/target" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key"
  two_repositories "$branch" "$ARCH"
  trust_key; touch_links; mirror
  # An application user, configuration edited, a file of a package deleted, one of those that 3.20 drops edited.
  echo 'app:x:1000:1000::/app:/sbin/nologin' >>"$root/etc/passwd"; echo 'app:x:1000:' >>"$root/etc/group"
  echo welcome >"$root/etc/motd"; echo '# mine' >>"$root/etc/udhcpd.conf"; rm "$root/etc/securetty"
  mkdir "$root/app"; echo app >"$root/app/run"; chown -R 1000:1000 "$root/app"
  close_image
  allow '{"path": "dev/pts", "missing": true, "why": "directory under dev, which every runtime mounts over"}' \
    '{"path": "dev/shm", "missing": true, "why": "directory under dev, which every runtime mounts over"}'
  expect lib/apk/db upgrade ;;
alpine-3.17 | alpine-3.17-apk-tools)
  alpine_base 3.17.10-x86_64
  unpack "$(rootfs 3.17.10-x86_64)" "$work/target"
  python3 "$here/rebuild.py" "$work/target" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key" --bump 1 \
    busybox busybox-binsh ssl_client musl musl-utils libcrypto3 libssl3 zlib $([ "$name" = alpine-3.17 ] || echo apk-tools)
  two_repositories "$branch" "$ARCH"
  trust_key; touch_links; mirror; close_image
  expect lib/apk/db upgrade ;;
alpine-usrmerge)
  alpine_base 3.20.3-x86_64
  unpack "$(rootfs 3.20.3-x86_64)" "$work/target"
  python3 "$here/rebuild.py" "$work/target" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key" --bump 1
  two_repositories "$branch" "$ARCH"
  # bin and sbin are links into usr since a second layer; the database still says bin/busybox
  for d in bin sbin; do cp -a "$root/$d/." "$root/usr/$d/"; rm -rf "${root:?}/$d"; ln -s usr/$d "$root/$d"; done
  trust_key; mirror; close_image
  allow '{"path": "dev/pts", "missing": true, "why": "directory under dev, which every runtime mounts over"}' \
    '{"path": "dev/shm", "missing": true, "why": "directory under dev, which every runtime mounts over"}'
  expect lib/apk/db upgrade ;;
alpine-report)
  alpine_base 3.20.3-x86_64
  unpack "$(rootfs 3.20.3-x86_64)" "$work/target"
  report_repository
  trust_key; touch_links; mirror; close_image
  expect lib/apk/db upgrade_names ;;
alpine-noapk)
  alpine_base 3.20.3-x86_64
  unpack "$(rootfs 3.20.3-x86_64)" "$work/target"
  CHROOT=
  : >"$work/none"
  apk_with "$work/none" "$case_dir" "$root" add -q libssl3 ssl_client ca-certificates-bundle
  apk_with "$work/none" "$case_dir" "$root" del -q apk-tools alpine-keys libc-utils
  rm -rf "$root"/etc/apk/{repositories,keys,arch} "$root"/lib/apk/exec "$root"/var/cache/apk "$root"/usr/share/apk
  report_repository
  arguments --repo "{SERVE}/alpine/$branch/main" --repo "{SERVE}/alpine/$branch/community" --trust-key "{CASE}/keys/oracle.rsa.pub"
  close_image
  allow '{"path": "etc/apk/arch", "missing": true, "why": "apk writes it where it is absent; nothing needs it in an image without apk"}' \
    '{"path": "lib/apk/exec", "missing": true, "why": "where apk puts scripts to run them"}' \
    '{"path": "var/cache/apk", "missing": true, "why": "apk makes its cache directory where it is absent"}'
  expect lib/apk/db upgrade_names ;;
alpine-torture)
  alpine_base 3.20.3-x86_64
  serve=$case_dir/serve/alpine
  python3 "$here/torture.py" "$work/old/alpine/$branch/main/$ARCH" "$serve/$branch/main/$ARCH" "$work/old/alpine/lab/main/$ARCH" "$serve/lab/main/$ARCH" "$key"
  two_repositories "$branch" "$ARCH"; index "$serve/lab/main/$ARCH"
  index "$work/old/alpine/$branch/main/$ARCH"; index "$work/old/alpine/lab/main/$ARCH"
  printf -- '- alpine/%s/main\n@lab alpine/lab/main\n' "$branch" >"$work/old.list"
  echo '@lab alpine/lab/main' >>"$case_dir/repositories"
  trust_key; mirror
  echo "@lab $upstream/lab/main" >>"$root/etc/apk/repositories"
  echo usr/share/lab/prot >"$root/etc/apk/protected_paths.d/lab.list"
  apk_with "$work/old.list" "$work/old" "$root" add -q lab-a lab-moved lab-high lab-low lab-dir1 lab-dir2 lab-trigger lab-owner lab-oldname \
    lab-exact=1.0-r0 lab-fuzzy~1.0 'lab-bounded<2.0' lab-same lab-older lab-gone lab-meta Lab-Upper lab-root lab-untagged lab-tagged@lab
  apk_with "$work/old.list" "$work/old" "$root" add -q --virtual .lab-virtual lab-under-virtual
  close_image
  # A second layer: what the user did (deletions become whiteouts).
  open_image
  (
    cd "$root/etc/lab"
    for f in both-changed user-changed-only removed-modified; do echo user >>$f; done
    echo "same-as-new new" >same-as-new; rm deleted-by-user; chmod 600 mode-by-user
    echo mine >unowned-other; echo package >unowned-same
    ln -sf same-as-new link-by-user; rm file-to-link-by-user; echo file >file-to-link-by-user
    echo user >>../init.d/lab; echo user >>../apk/lab/f
    cd "$root/usr/share/lab"
    echo user >>prot/f; echo user >by-user; rm deleted; echo mine >unowned; echo mine >kept/mine
    chmod 711 mode-by-user
    mkdir "$root/opt/moved"; mv moved-by-user/f "$root/opt/moved/"; rmdir moved-by-user; ln -s /opt/moved moved-by-user
    mkdir new; echo mine >new/f; echo mine >new/mine
  )
  close_image
  expect lib/apk/db upgrade ;;
alpine-torture-types)
  alpine_base 3.20.3-x86_64
  python3 "$here/torture.py" --types "$work/old/alpine/$branch/main/$ARCH" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key"
  two_repositories "$branch" "$ARCH"; index "$work/old/alpine/$branch/main/$ARCH"
  printf -- '- alpine/%s/main\n' "$branch" >"$work/old.list"
  trust_key; mirror
  apk_with "$work/old.list" "$work/old" "$root" add -q lab-types
  close_image
  # The real `apk upgrade` fails on these changes of type, so the expectation is `apk del` and `apk add` of the new version.
  again() { apk_with "$case_dir/repositories" "$case_dir/serve" "$1" del lab-types && apk_with "$case_dir/repositories" "$case_dir/serve" "$1" add lab-types; }
  expect lib/apk/db again ;;
alpine-accounts)
  alpine_base 3.20.3-x86_64
  old=$work/old/alpine/$branch/main/$ARCH
  python3 "$here/accounts.py" "$old" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key"
  two_repositories "$branch" "$ARCH"; index "$old"
  printf -- '- alpine/%s/main\n' "$branch" >"$work/old.list"
  trust_key; mirror
  # shadow(5) has the day on which an account was made
  printf '%s\n' --source-date-epoch "$(date +%s)" >>"$case_dir/args"
  echo 'known:x:345:346:known:/dev/null:/sbin/nologin' >>"$root/etc/passwd"; echo 'known:x:346:' >>"$root/etc/group"
  apk_with "$work/old.list" "$work/old" "$root" add -q labapp
  close_image
  for f in passwd group shadow; do
    allow "{\"path\": \"etc/$f-\", \"missing\": true, \"extra\": true, \"why\": \"backup that adduser and addgroup leave\"}"
  done
  expect lib/apk/db upgrade ;;
wolfi-like)
  CHROOT= RUN=
  new_image amd64
  old=$work/old/os/$ARCH new=$case_dir/serve/os/$ARCH
  python3 "$here/wolfi.py" build "$old" "$new" "$key" "$data/apk/hello-wolfi-2.12.1-r0.apk"
  index "$old" RSA256; index "$new" RSA256
  echo '- os' >"$case_dir/repositories"
  # First layer: the base packages; second: the rest. Both hold a whole package database of their time.
  open_image
  mkdir -p "$root"/usr/{bin,lib} "$root/etc/apk/keys"
  for l in bin:usr/bin sbin:usr/bin lib:usr/lib lib64:usr/lib usr/sbin:bin usr/lib64:lib; do ln -s "${l#*:}" "$root/${l%:*}"; done
  apk_with "$case_dir/repositories" "$work/old" "$root" add -q --initdb --no-scripts wolfi-baselayout wolfi-keys glibc
  rm -rf "$root"/dev/*   # device nodes of --initdb
  python3 "$here/wolfi.py" dialect "$root"
  echo https://packages.wolfi.dev/os >"$root/etc/apk/repositories"; trust_key
  close_image; open_image
  apk_with "$case_dir/repositories" "$work/old" "$root" add -q --no-scripts ca-certificates-bundle libssl3 zlib hello-wolfi odd-owner
  python3 "$here/wolfi.py" dialect "$root"
  close_image
  arguments --mirror 'https://packages.wolfi.dev/os={SERVE}/os'
  expect usr/lib/apk/db upgrade_without_scripts ;;
alpine-aarch64)
  CHROOT= RUN= ARCH=aarch64
  alpine_base 3.20.3-aarch64 arm64
  unpack "$(rootfs 3.20.3-aarch64)" "$work/target"
  python3 "$here/rebuild.py" "$work/target" "$case_dir/serve/alpine/$branch/main/$ARCH" "$key" --bump 1
  two_repositories "$branch" "$ARCH"
  trust_key; mirror; close_image
  allow '{"path": "dev/pts", "missing": true, "why": "directory under dev, which every runtime mounts over"}' \
    '{"path": "dev/shm", "missing": true, "why": "directory under dev, which every runtime mounts over"}'
  # What the script that cannot be run here would do to the accounts: the same script in an x86_64 root.
  cp -a "$root"/etc/{passwd,group,shadow} "$work/alpine/etc/"
  mknod -m 666 "$work/alpine/dev/null" c 1 3
  tar -xOf "$root/lib/apk/db/scripts.tar" --wildcards 'busybox-[0-9]*.post-upgrade' | chroot "$work/alpine" /bin/busybox sh
  accounts=$work/alpine
  expect lib/apk/db upgrade_without_scripts ;;
*) echo "$name: no such case" >&2; exit 2 ;;
esac
