#!/usr/bin/env bash
# Builds the benchmark image: bookworm of the main archive only, so that upgrades are pending, with common server
# packages; its sources list then gains -updates and -security.  usage: image.sh OUT ARCHIVE SECURITY   (root)
# OUT/root: the tree; OUT/layout: an OCI layout with the tag `base`.
set -euo pipefail
out=$1 archive=$2 security=$3
[ ! -e "$out/layout/index.json" ] || exit 0
rm -rf "$out/root" "$out/layout"; mkdir -p "$out"
packages=nginx,python3,openssl,ca-certificates,curl,git,perl,openssh-client,iputils-ping,procps,vim-tiny,less,wget,xz-utils,unzip
mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Languages "none"' --include="$packages" \
  --keyring=/usr/share/keyrings/debian-archive-keyring.gpg bookworm "$out/root" "deb $archive bookworm main"
rm -rf "$out/root"/var/lib/apt/lists/* "$out/root"/var/cache/apt/* "$out/root"/etc/apt/sources.list "$out/root"/etc/apt/apt.conf.d/99mmdebstrap
printf '#!/bin/sh\nexit 101\n' >"$out/root/usr/sbin/policy-rc.d"; chmod 0755 "$out/root/usr/sbin/policy-rc.d"
key=/usr/share/keyrings/debian-archive-keyring.gpg
printf 'Types: deb\nURIs: %s\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: %s\n\nTypes: deb\nURIs: %s\nSuites: bookworm-security\nComponents: main\nSigned-By: %s\n' \
  "$archive" $key "$security" $key >"$out/root/etc/apt/sources.list.d/debian.sources"
umoci init --layout "$out/layout" && umoci new --image "$out/layout:empty"
umoci unpack --image "$out/layout:empty" "$out/bundle"
rm -rf "$out/bundle/rootfs"; cp -a "$out/root" "$out/bundle/rootfs"
umoci repack --image "$out/layout:base" "$out/bundle" >/dev/null
umoci config --image "$out/layout:base" --architecture amd64 --os linux
rm -rf "$out/bundle"
