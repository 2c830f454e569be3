#!/usr/bin/env bash
# Builds one rpm case: an image with upgrades pending, a signed repository, and what real rpm/dnf makes of a copy.
# usage: make-case.sh CASE [OUT]      (cases are listed in the file `cases`; OUT defaults to ./.oracle)
# The synthetic packages of the first three cases are built once and kept in OUT/.rpm-packages.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
data=${ONLAY_SHARED:-$here/../..}/data/rpm
name=${1:?usage: make-case.sh CASE [OUT]}
mkdir -p "${2:-.oracle}"
OUT=$(cd "${2:-.oracle}" && pwd)
case_dir=$OUT/$name
began=$SECONDS
rm -rf "$case_dir"; mkdir -p "$case_dir"/{base,real,home,serve}
work=$(mktemp -d)
export GNUPGHOME=$work/gpg HOME=$case_dir/home LC_ALL=C TZ=UTC PYTHONDONTWRITEBYTECODE=1
cleanup() { gpgconf --kill gpg-agent 2>/dev/null || true; rm -rf "$work"; }
trap cleanup EXIT
umask 022
KIND=sqlite DBDIR=var/lib/rpm DBFILE=rpmdb.sqlite COLOR=3
quiet() { "$@" >"$work/log" 2>&1 || { tail -n 25 "$work/log" >&2; echo "make-case: $1 failed" >&2; exit 1; }; }

# Debian's rpm keeps its database in the home directory: say where images have it
macros() {
  printf '%%_dbpath /%s\n%%_transaction_color %s\n%%_gpg_name signer\n%%__gpg %s\n%%_gpg_digest_algo sha256\n' \
    "$DBDIR" "$COLOR" "$(command -v gpg)" >"$HOME/.rpmmacros"
}
make_key() {
  mkdir -m 700 "$GNUPGHOME"
  quiet gpg --batch --passphrase '' --quick-gen-key 'signer (test repository) <signer@distro.example>' rsa2048 sign never
  KEY=$work/key.asc; gpg --armor --export >"$KEY"
}
repository() { # DIR RPM…: a signed repository
  local dir=$1; shift
  mkdir -p "$dir/Packages"; cp "$@" "$dir/Packages/"
  quiet createrepo_c -q "$dir"
  gpg --batch --yes --armor --detach-sign "$dir/repodata/repomd.xml"
}
# building and signing look into a database too: a private one, never the machine's
sign() { quiet rpmsign --define "_dbpath $work/builddb" --rpmv3 --addsign "$@"; }

open_image() { # ARCHITECTURE: an empty image, its root in $root
  quiet umoci init --layout "$work/image"
  quiet umoci new --image "$work/image:base"
  quiet umoci config --image "$work/image:base" --architecture "$1" --os linux --config.cmd /bin/sh --config.env PATH=/usr/bin:/bin
  quiet umoci unpack --image "$work/image:base" "$work/bundle"
  root=$work/bundle/rootfs
}
edit() { # PATH: a user's edit; never through a link, which could lead out of the root
  [ "$(realpath "$root/$1")" = "$(realpath "$root")/$1" ] && [ -f "$root/$1" ] || { echo "make-case: $1 is no plain file of the image" >&2; exit 1; }
  echo '# user edit' >>"$root/$1"
}
layer() { quiet umoci repack --refresh-bundle --image "$work/image:base" "$work/bundle"; }
close_image() { # the copy that the real tool upgrades is made from the image as umoci unpacks it
  quiet umoci gc --layout "$work/image"
  rm -rf "$case_dir/base"; cp -a "$work/image" "$case_dir/base"
  quiet umoci unpack --image "$case_dir/base:base" "$work/check"
  real=$case_dir/real/root; rm -rf "$real"; mv "$work/check/rootfs" "$real"
  if [ "$KIND" != manifest ]; then
    cp "$real/$DBDIR/$DBFILE" "$case_dir/base.db"
    python3 "$here/rpmdb.py" verify "$case_dir/base.db"
  fi
  cp -a "$real" "$work/before"
}
to_sqlite() { # the same headers in the only format that this machine's rpm writes; checked byte by byte
  local dir=$real/$DBDIR
  cp -a "$dir" "$work/olddb"
  python3 "$here/rpmdb.py" headers "$dir/$DBFILE" >"$work/headers"
  find "$dir" -mindepth 1 -delete
  quiet rpmdb --root "$real" --initdb
  rpmdb --root "$real" --importdb <"$work/headers"
  python3 "$here/rpmdb.py" headers "$dir/rpmdb.sqlite" | cmp - "$work/headers"
}
upgrade() { # DNF ARGUMENTS…: real dnf on the copy, then what dnf leaves for itself is removed
  quiet dnf --installroot="$real" -y --disableplugin='*' --setopt=tsflags="noscripts,notriggers${FLAGS:+,$FLAGS}" "$@"
  cp "$work/log" "$case_dir/real/upgrade.log"
  ! grep -q '^Skipped' "$work/log" || { sed -n '/^Skipped/,$p' "$work/log" >&2; echo "make-case: dnf skipped packages" >&2; exit 1; }
}
DNF_OWN='etc/dnf/modules.d var/cache/dnf var/lib/dnf var/log/dnf.log var/log/dnf.librepo.log var/log/dnf.rpm.log var/log/hawkey.log'
tidy() { # caches, logs and history are dnf's own: put back what the image had of them, which is usually nothing
  local p
  for p in $DNF_OWN; do
    rm -rf "${real:?}/$p"
    [ ! -e "$work/before/$p" ] || cp -a "$work/before/$p" "$real/$p"
  done
  for p in var/cache var/log var/tmp etc/dnf; do [ -e "$work/before/$p" ] || rmdir "$real/$p" 2>/dev/null || true; done
}
allow() { # LINES of JSON rules
  { echo '['; local IFS=; printf '%s' "$1"; echo ']'; } >"$case_dir/allow.json"
  python3 -m json.tool "$case_dir/allow.json" >/dev/null
}
finish() { # verdicts of the real tools about the real tree, then the files that checks.sh needs
  tidy
  python3 "$here/rpmdb.py" verify "$real/$DBDIR/rpmdb.sqlite"
  cp "$real/$DBDIR/rpmdb.sqlite" "$case_dir/real/rpmdb.sqlite"
  cp "$case_dir/real/rpmdb.sqlite" "$work/expected.sqlite"
  rpm --root "$real" -qa --qf '%{NEVRA}\n' | sort >"$case_dir/real/qa"
  rpm --root "$real" -Va --nodeps >"$case_dir/real/va" 2>/dev/null || true
  dnf --installroot="$real" --setopt=reposdir=/dev/null --disableplugin='*' -q check >"$case_dir/real/dnf" 2>&1 || true
  tidy
  local own="bytes, install times and order of new numbers are free; checks.sh compares every package and index row"
  case $KIND in
  sqlite)
    printf '%s\n' .rpm.lock rpmdb.sqlite rpmdb.sqlite-wal rpmdb.sqlite-shm >"$case_dir/real/dbfiles"
    allow "{\"path\": \"$DBDIR/rpmdb.sqlite\", \"fields\": [\"size\", \"sha256\"], \"why\": \"$own\"},
{\"path\": \"$DBDIR/rpmdb.sqlite-wal\", \"missing\": true, \"why\": \"an empty write-ahead log may be left out; a used one may not stay\"},
{\"path\": \"$DBDIR/rpmdb.sqlite-shm\", \"missing\": true, \"why\": \"shared memory of the log, rebuilt on open\"},
{\"path\": \"$DBDIR/rpmdb.sqlite-shm\", \"fields\": [\"size\", \"sha256\"], \"why\": \"shared memory of the log, rebuilt on open\"}" ;;
  bdb)
    { printf '%s\n' .rpm.lock .dbenv.lock Packages; python3 -c 'import sys; sys.path.insert(0, sys.argv[1]); import rpmdb; print("\n".join(rpmdb.TABLES))' "$here"; } >"$case_dir/real/dbfiles"
    allow "{\"path\": \"$DBDIR/Packages\", \"fields\": [\"size\", \"sha256\"], \"why\": \"$own\"},
$(sed 1,3d "$case_dir/real/dbfiles" | while read -r t; do printf '{"path": "%s/%s", "missing": true, "why": "rpm rebuilds a missing index"},\n{"path": "%s/%s", "fields": ["size", "sha256"], "why": "checks.sh compares the rows of an index that is there"},\n' $DBDIR $t $DBDIR $t; done | sed '$s/,$//')" ;;
  ndb)
    printf '%s\n' .rpm.lock Packages.db Index.db >"$case_dir/real/dbfiles"
    allow "{\"path\": \"$DBDIR/Packages.db\", \"fields\": [\"size\", \"sha256\"], \"why\": \"$own\"},
{\"path\": \"$DBDIR/Index.db\", \"missing\": true, \"why\": \"rpm rebuilds a missing index\"},
{\"path\": \"$DBDIR/Index.db\", \"fields\": [\"size\", \"sha256\"], \"why\": \"rebuilt; checks.sh wants the generation of Packages.db\"}" ;;
  esac
  # the tree is compared with the image's own database files in place; their content is the business of checks.sh
  if [ "$KIND" != sqlite ]; then find "$real/$DBDIR" -mindepth 1 -delete; cp -a "$work/olddb/." "$real/$DBDIR/"; fi
  python3 "$here/../lib/tree.py" "$real" >"$case_dir/expected.jsonl"
  cp "$work/expected.sqlite" "$case_dir/real/rpmdb.sqlite"
  ship
}
ship() {
  cp "$here/rpmdb.py" "$here/manifest.py" "$here/checks.sh" "$case_dir/"
  printf 'KIND=%s\nDBDIR=%s\nDBFILE=%s\n' "$KIND" "$DBDIR" "$DBFILE" >"$case_dir/check.env"
}
rebuild() { # TARGET PAYLOAD RELEASE-OF-COMMAND NAME…: newer releases of installed packages of $root
  local target=$1 payload=$2 bump=$3 n old; shift 3
  mkdir -p "$work/rebuilt"
  for n in "$@"; do
    old=$(python3 "$here/rpmdb.py" list "$work/source.db" | sed -n "s/^[0-9]* $n-[^-]*-\([^-]*\)\.[^.]*$/\1/p")
    python3 "$here/respec.py" "$work/source.db" "$root" "$n" "$($bump "$old")" "$work/$n.spec" "$work/tree-$n"
    [ -z "${ALONE:-}" ] || sed -i '/^Requires:/d' "$work/$n.spec"
    quiet rpmbuild -bb --quiet --target "$target" --define "_dbpath $work/builddb" --define "_topdir $work/rb" --define "_rpmdir $work/rebuilt" --define "_build_id_links none" \
      --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" --define "__os_install_post %{nil}" --define "debug_package %{nil}" \
      --define "_buildhost builder" --define "_binary_payload $payload" "$work/$n.spec"
  done
  sign "$work"/rebuilt/*.rpm
}

package_names() { # all of the image, without keys
  rpm --dbpath "$root/$DBDIR" -qa --qf '%{NAME}\n' | grep -v ^gpg-pubkey | sort
}

# files_of TARGET PAYLOAD NAME…: the files of packages that are only in a database, made up, into $root
files_of() {
  local n target=$1 payload=$2; shift 2
  root=$work/none rebuild "$target" "$payload" echo "$@"
  # directories may be symlinks of another package
  for n in "$@"; do tar -C "$work/tree-$n" -c . | tar -C "$root" -x --keep-directory-symlink; rm -rf "$work/tree-$n" "$work/$n.spec"; done
  rm -rf "$work/rebuilt"
}

distro_packages() { # built once for the three synthetic cases
  local keep=$OUT/.rpm-packages
  if [ ! -f "$keep/done" ] || [ "$here/specs.sh" -nt "$keep/done" ]; then
    rm -rf "$keep"; mkdir -p "$keep"
    make_key; cp "$KEY" "$keep/key.asc"; KEY=$keep/key.asc
    SPECS=$work/specs TOP=$work/rb; mkdir -p "$SPECS"
    . "$here/specs.sh"
    build_distro "$keep"
    sign "$keep"/{v1,v2,app,other}/*.rpm
    local r=$keep/serve/almalinux/9
    repository "$r/BaseOS/x86_64/os" "$keep"/v1/*.rpm "$keep"/v2/*.rpm
    repository "$r/AppStream/x86_64/os" "$keep"/app/*.rpm
    repository "$r/Testing/x86_64/os" "$keep"/other/*.rpm
    : >"$keep/done"
  fi
  KEY=$keep/key.asc V1=$keep/v1
  rmdir "$case_dir/serve"; cp -a "$keep/serve" "$case_dir/serve"
  . "$here/specs.sh"
}
distro_image() { # RPM OPTIONS…
  open_image amd64
  mkdir -p "$root/var/lib/rpm"
  quiet rpm --root "$root" --import "$KEY"
  local first
  for first in filesystem setup; do quiet rpm --root "$root" "$@" -i "$V1/$first"-*.rpm; done
  quiet rpm --root "$root" --noscripts --notriggers "$@" -i $(ls "$V1"/*.rpm | grep -v -e /filesystem- -e /setup-)
  layer
  edit_image "$root"
  layer
  close_image
  printf '%s\n' --mirror 'https://repo.almalinux.example/={SERVE}/' >"$case_dir/args"
}
distro_upgrade() { # the image's own repositories, served from the folder
  local s=file://$case_dir/serve/almalinux/9 k=file://$KEY
  upgrade --setopt=baseos.baseurl="$s/BaseOS/x86_64/os/" --setopt=appstream.baseurl="$s/AppStream/x86_64/os/" \
    --setopt=baseos.gpgkey="$k" --setopt=appstream.gpgkey="$k" upgrade "$@"
}

macros
case $name in
rpm-sqlite)
  distro_packages; distro_image; distro_upgrade; finish ;;
rpm-nodocs)
  distro_packages
  distro_image --excludedocs --define '_install_langs C:en'
  echo '%_install_langs C:en' >>"$HOME/.rpmmacros"
  FLAGS=nodocs distro_upgrade; macros; finish ;;
rpm-report)
  distro_packages; distro_image
  distro_upgrade lab labssl-libs
  python3 - "$case_dir" "$(rpm --root "$root" -q --qf '%{NAME}|%{EPOCHNUM}|%{VERSION}-%{RELEASE}|%{ARCH}\n' lab labssl-libs labkeep)" \
    "$(rpm --root "$real" -q --qf '%{NAME}|%{EPOCHNUM}|%{VERSION}-%{RELEASE}|%{ARCH}\n' lab labssl-libs labkeep)" <<'PY'
import json, sys
folder, before, after = sys.argv[1:]
rows = lambda t: {r[0]: r for r in (l.split("|") for l in t.splitlines())}
evr = lambda r: r[2] if r[1] == "0" else r[1] + ":" + r[2]
found = []
for i, (name, old) in enumerate(rows(before).items()):
    new = rows(after)[name]
    v = {"VulnerabilityID": "CVE-2024-%d" % (1000 + i), "PkgID": "%s@%s.%s" % (name, old[2], old[3]), "PkgName": name,
         "PkgIdentifier": {"PURL": "pkg:rpm/alma/%s@%s?arch=%s&distro=alma-9.3&epoch=%s" % (name, old[2], old[3], old[1])},
         "InstalledVersion": evr(old), "Status": "fixed" if new != old else "affected", "Severity": "HIGH"}
    if new != old:
        v["FixedVersion"] = evr(new)
    found.append(v)
json.dump({"SchemaVersion": 2, "ArtifactName": "case", "ArtifactType": "container_image",
           "Metadata": {"OS": {"Family": "alma", "Name": "9.3"}, "ImageConfig": {"architecture": "amd64", "os": "linux"}},
           "Results": [{"Target": "case (alma 9.3)", "Class": "os-pkgs", "Type": "alma", "Vulnerabilities": found}]},
          open(folder + "/report.json", "w"), indent=1)
PY
  finish ;;
rpm-accounts)
  make_key
  SPECS=$work/specs TOP=$work/rb; mkdir -p "$SPECS" "$work"/{v1,v2}
  . "$here/specs.sh"; . "$here/accounts.sh"
  account_packages "$work/v1" "$work/v2"
  sign "$work"/v1/*.rpm "$work"/v2/*.rpm
  open_image amd64
  mkdir -p "$root/var/lib/rpm"
  for first in filesystem setup; do quiet rpm --root "$root" -i "$work"/v1/$first-*.rpm; done
  quiet rpm --root "$root" --noscripts -i $(ls "$work"/v1/*.rpm | grep -v -e /filesystem- -e /setup-)
  account_tools "$root"
  layer; close_image
  repository "$case_dir/serve/repo" "$work"/v2/*.rpm; cp "$KEY" "$case_dir/key.asc"
  # shadow(5) has the day on which an account was made
  printf '%s\n' --repo 'lab={SERVE}/repo' --trust-key '{CASE}/key.asc' --source-date-epoch "$(date +%s)" >"$case_dir/args"
  mknod -m 666 "$real/dev/null" c 1 3
  quiet rpm --root "$real" -U --nosignature "$work"/v2/*.rpm
  rm "$real/dev/null"
  finish
  python3 - "$case_dir/allow.json" <<'PY'
import json, sys
rules = json.load(open(sys.argv[1]))
rules += [{"path": "etc/%s-" % f, "missing": True, "why": "backup that useradd and groupadd leave"} for f in ("passwd", "group", "shadow", "gshadow")]
rules.append({"path": "etc/.pwd.lock", "missing": True, "why": "lock of useradd and groupadd, always empty"})
json.dump(rules, open(sys.argv[1], "w"), indent=1)
PY
  ;;
alma9-micro | alma9-micro-all | alma9-sysimage)
  make_key
  open_image arm64
  tar -xJf "$data/almalinux-9-micro-aarch64-rootfs.tar.xz" -C "$root" --numeric-owner --xattrs --xattrs-include='*'
  layer
  if [ $name = alma9-sysimage ]; then # as Fedora has it, moved in a second layer
    DBDIR=usr/lib/sysimage/rpm; macros
    mkdir -p "$root/usr/lib/sysimage"; mv "$root/var/lib/rpm" "$root/$DBDIR"; ln -s ../../usr/lib/sysimage/rpm "$root/var/lib/rpm"
    layer
  fi
  cp "$root/$DBDIR/$DBFILE" "$work/source.db"
  newer() { case $1 in *.el9*) echo "${1/.el9/.99.el9}" ;; *) echo "$1.99" ;; esac; }
  names='tzdata libgcc pcre2-syntax pcre2 ncurses-base ncurses-libs libattr bash'
  [ $name != alma9-micro-all ] || names=$(package_names)
  [ $name != alma9-sysimage ] || names='bash coreutils-single libcap libacl'
  # shellcheck disable=SC2086
  rebuild aarch64 w3.zstdio newer $names
  edit etc/xattr.conf; edit etc/skel/.bashrc; rm -f "$root/etc/skel/.bash_logout"
  layer; close_image
  repository "$case_dir/serve/repo" "$work"/rebuilt/*.rpm; cp "$KEY" "$case_dir/key.asc"
  printf '%s\n' --repo 'lab={SERVE}/repo' --trust-key '{CASE}/key.asc' >"$case_dir/args"
  # the image was installed without documentation, which only FILESTATES of its packages say
  FLAGS=nodocs upgrade --forcearch=aarch64 --releasever=9 --setopt=reposdir=/dev/null --repofrompath="lab,file://$case_dir/serve/repo" --nogpgcheck upgrade
  finish ;;
alma8-micro-bdb | alma8-micro-all)
  KIND=bdb DBFILE=Packages
  make_key
  open_image s390x
  tar -xJf "$data/almalinux-8-micro-s390x-rootfs.tar.xz" -C "$root" --numeric-owner --xattrs --xattrs-include='*'
  layer
  cp "$root/$DBDIR/$DBFILE" "$work/source.db"
  newer() { case $1 in *.el8*) echo "${1/.el8/.99.el8}" ;; *) echo "$1.99" ;; esac; }
  names='tzdata libgcc pcre2 ncurses-base ncurses-libs libattr'
  # FILESTATES of the thousands of %ghost directories of filesystem depend on the version of rpm
  [ $name = alma8-micro-bdb ] || names=$(package_names | grep -vx filesystem)
  # shellcheck disable=SC2086
  rebuild s390x w2.xzdio newer $names
  edit etc/xattr.conf
  layer; close_image; to_sqlite
  repository "$case_dir/serve/repo" "$work"/rebuilt/*.rpm; cp "$KEY" "$case_dir/key.asc"
  printf '%s\n' --repo 'lab={SERVE}/repo' --trust-key '{CASE}/key.asc' >"$case_dir/args"
  # rpm in the image would read this; rpm --root does not
  sed -n '/^%_install_langs/p' "$root/etc/rpm/macros.image-language-conf" >>"$HOME/.rpmmacros"
  FLAGS=nodocs upgrade --forcearch=s390x --releasever=8 --setopt=reposdir=/dev/null --repofrompath="lab,file://$case_dir/serve/repo" --nogpgcheck upgrade
  macros; finish ;;
sle15-ndb | sle15-ndb-more)
  KIND=ndb DBDIR=usr/lib/sysimage/rpm DBFILE=Packages.db COLOR=0; macros
  make_key
  cp "$data/rpmdb-sle15-bci-Packages.db" "$work/source.db"
  open_image amd64
  names='libz1 terminfo-base'
  [ $name = sle15-ndb ] || names='bash coreutils glibc libselinux1 libgcc_s1 perl-base file-magic rpm-config-SUSE libreadline7'
  # shellcheck disable=SC2086
  files_of x86_64 w5.xzdio $names
  mkdir -p "$root"/{etc/zypp/repos.d,usr/lib64,usr/share,usr/lib/sysimage/rpm,var/lib,var/log,tmp,run}
  ln -s ../../usr/lib/sysimage/rpm "$root/var/lib/rpm"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"; printf 'root:x:0:\n' >"$root/etc/group"
  printf 'NAME="SLES"\nVERSION="15-SP3"\nVERSION_ID="15.3"\nPRETTY_NAME="SUSE Linux Enterprise Server 15 SP3"\nID="sles"\nID_LIKE="suse"\nCPE_NAME="cpe:/o:suse:sles:15:sp3"\n' >"$root/etc/os-release"
  printf '[SLE_BCI]\nname=SLE BCI\nenabled=1\nautorefresh=1\nbaseurl=https://updates.suse.example/SLE_BCI/\ntype=rpm-md\ngpgcheck=1\n' >"$root/etc/zypp/repos.d/SLE_BCI.repo"
  cp "$work/source.db" "$root/$DBDIR/Packages.db"
  # an index without entries, made for this generation of Packages.db: stale as soon as that changes
  python3 -c 'import struct, sys; b = open(sys.argv[1], "rb").read(12); g = struct.unpack("<I", b[8:])[0]
open(sys.argv[2], "wb").write((struct.pack("<4sIIIII", b"RpmX", 0, 1, 1, 4096, g) + bytes(8) + (b"Slot" + bytes(12)) * 254)[:4096].ljust(4096, b"\0"))' "$root/$DBDIR/Packages.db" "$root/$DBDIR/Index.db"
  layer
  newer() { echo "$1.99"; }
  # shellcheck disable=SC2086
  rebuild x86_64 w5.xzdio newer $names
  [ $name != sle15-ndb ] || edit usr/share/misc/termcap
  layer; close_image; to_sqlite
  repository "$case_dir/serve/SLE_BCI" "$work"/rebuilt/*.rpm; cp "$KEY" "$case_dir/key.asc"
  printf '%s\n' --mirror 'https://updates.suse.example/={SERVE}/' --trust-key '{CASE}/key.asc' >"$case_dir/args"
  # documentation is left out here, which the database says
  quiet rpm --root "$real" -U --noscripts --notriggers --nosignature --nodeps --excludedocs "$work"/rebuilt/*.rpm
  finish ;;
mariner-sqlite)
  make_key
  cp "$data/rpmdb-cbl-mariner-2.0-rpmdb.sqlite" "$work/source.db"
  open_image amd64
  names='filesystem mariner-release bash sudo shadow-utils pam ca-certificates-base openssl openssl-libs libcap tdnf tdnf-cli-libs tdnf-plugin-repogpgcheck gnupg2 vim'
  # shellcheck disable=SC2086
  files_of x86_64 w9.gzdio $names
  mkdir -p "$root"/{etc/yum.repos.d,var/lib/rpm,tmp,run}; : >"$root/var/lib/rpm/.rpm.lock"
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"; printf 'root:x:0:\nsystemd-journal:x:23:\n' >"$root/etc/group"
  printf 'NAME="Common Base Linux Mariner"\nVERSION="2.0"\nID=mariner\nVERSION_ID="2.0"\n' >"$root/usr/lib/os-release"
  cp "$work/source.db" "$root/$DBDIR/$DBFILE"; chmod 644 "$root/$DBDIR/$DBFILE"
  layer
  newer() { echo "${1/.cm2/.99.cm2}"; }
  # shellcheck disable=SC2086
  rebuild x86_64 w9.gzdio newer $names
  edit etc/sudoers; edit etc/login.defs; rm -f "$root/etc/wgetrc" "$root/etc/pam.d/other"
  layer; close_image
  repository "$case_dir/serve/repo" "$work"/rebuilt/*.rpm; cp "$KEY" "$case_dir/key.asc"
  printf '%s\n' --repo 'lab={SERVE}/repo' --trust-key '{CASE}/key.asc' >"$case_dir/args"
  upgrade --releasever=2.0 --setopt=reposdir=/dev/null --repofrompath="lab,file://$case_dir/serve/repo" --nogpgcheck upgrade
  finish ;;
el8-bdb)
  KIND=bdb DBFILE=Packages
  make_key
  cp "$data/rpmdb-libuuid-Packages" "$work/source.db"
  open_image amd64
  files_of x86_64 w2.xzdio libuuid
  mkdir -p "$root"/{etc,var/lib/rpm,tmp,run}
  printf 'root:x:0:0:root:/root:/bin/sh\n' >"$root/etc/passwd"; printf 'root:x:0:\n' >"$root/etc/group"
  printf 'NAME="Red Hat Enterprise Linux"\nID="rhel"\nVERSION_ID="8.8"\nPLATFORM_ID="platform:el8"\n' >"$root/etc/os-release"
  cp "$work/source.db" "$root/$DBDIR/$DBFILE"; chmod 644 "$root/$DBDIR/$DBFILE"
  layer
  newer() { echo "$1.99"; }
  # what it requires is not in its database
  ALONE=1 rebuild x86_64 w2.xzdio newer libuuid
  layer; close_image; to_sqlite
  repository "$case_dir/serve/repo" "$work"/rebuilt/*.rpm; cp "$KEY" "$case_dir/key.asc"
  printf '%s\n' --repo 'lab={SERVE}/repo' --trust-key '{CASE}/key.asc' >"$case_dir/args"
  quiet rpm --root "$real" -U --noscripts --notriggers --nosignature --nodeps "$work"/rebuilt/*.rpm
  finish ;;
mariner-distroless)
  KIND=manifest
  make_key
  SPECS=$work/specs TOP=$work/rb DIST=.cm2; mkdir -p "$SPECS" "$work"/{m1,m2}
  . "$here/specs.sh"
  . "$here/mariner.sh"
  mariner_packages "$work/m1" "$work/m2"
  sign "$work"/m1/*.rpm "$work"/m2/*.rpm
  repository "$case_dir/serve/repo" "$work"/m1/*.rpm "$work"/m2/*.rpm; cp "$KEY" "$case_dir/key.asc"
  open_image amd64
  mkdir -p "$root/var/lib/rpm" "$root/var/lib/rpmmanifest"
  quiet rpm --root "$root" --noscripts -i "$work"/m1/*.rpm
  mariner_query "$root" "$root/var/lib/rpmmanifest/container-manifest-"
  mv "$root/var/lib/rpm" "$work/hidden"
  layer
  mariner_edit "$root"
  layer; close_image
  cp -a "$work/hidden" "$real/var/lib/rpm"
  for n in 1 2; do cp "$root/var/lib/rpmmanifest/container-manifest-$n" "$case_dir/real/old-$n"; done
  upgrade --releasever=2.0 --setopt=reposdir=/dev/null --repofrompath="base,file://$case_dir/serve/repo" --nogpgcheck upgrade
  mkdir "$work/qa"; mariner_query "$real" "$work/qa/"
  for n in 1 2; do
    python3 "$here/manifest.py" update "$case_dir/real/old-$n" "$case_dir/real/old-$n" "$work/qa/$n" "$case_dir/real/want-$n"
    cp "$case_dir/real/want-$n" "$real/var/lib/rpmmanifest/container-manifest-$n"
  done
  rm -rf "$real/var/lib/rpm"; tidy
  allow '{"path": "var/lib/rpmmanifest/container-manifest-2", "fields": ["size", "sha256"], "why": "its third column is the time of installation; checks.sh compares all others"}'
  mkdir -p "$case_dir/exact.d/var/lib/rpmmanifest"
  cp "$case_dir/real/want-1" "$case_dir/exact.d/var/lib/rpmmanifest/container-manifest-1"
  echo var/lib/rpmmanifest/container-manifest-1 >"$case_dir/exact"
  printf '%s\n' --repo 'base={SERVE}/repo' --trust-key '{CASE}/key.asc' >"$case_dir/args"
  python3 "$here/../lib/tree.py" "$real" >"$case_dir/expected.jsonl"
  ship ;;
*) echo "unknown case $name" >&2; exit 2 ;;
esac
echo "$name: built in $((SECONDS - began)) s, $(wc -l <"$case_dir/expected.jsonl") paths expected"
