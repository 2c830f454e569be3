#!/usr/bin/env python3
"""Packages whose scripts make the accounts that their own files belong to, in an old and a new repository.

usage: accounts.py OLDDIR NEWDIR KEY
"""
import sys
from apkbuild import Package

SERVER = b"""#!/bin/sh

addgroup -S -g 82 www-data 2>/dev/null
addgroup -S labweb 2>/dev/null
adduser -S -D -H -h /var/lib/labweb -s /sbin/nologin -G labweb -g labweb labweb 2>/dev/null
addgroup labweb www-data 2>/dev/null

exit 0
"""
UPGRADE = b"""#!/bin/sh
addgroup -S labapp 2>/dev/null
adduser -S -D -H -G labapp -h /var/lib/labapp -s /bin/false -g "Lab application" labapp 2>/dev/null
exit 0
"""
KNOWN = b"""#!/bin/sh
addgroup -S known 2>/dev/null
adduser -S -D -H -G known -h /dev/null -s /sbin/nologin -g known known 2>/dev/null
exit 0
"""


def main(old, new, key):
    app = Package("labapp", "1.0-r0").dirs("etc", "usr", "usr/bin", "var", "var/lib", "var/lib/labapp")
    app.file("usr/bin/labapp", "one", 0o755).file("etc/labapp.conf", "conf").file("var/lib/labapp/state", "")
    app.build(old, key)
    later = Package("labapp", "2.0-r0", depends=["labweb", "labuser"], scripts={"pre-upgrade": UPGRADE, "pre-install": UPGRADE})
    own = {"uid": 1001, "gid": 1002, "uname": "labapp", "gname": "labapp"}
    later.dirs("etc", "usr", "usr/bin", "var", "var/lib").dirs("var/lib/labapp", mode=0o750, **own)
    later.file("usr/bin/labapp", "two", 0o6755, **own).file("etc/labapp.conf", "conf", 0o640, gid=1002, gname="labapp")
    later.file("var/lib/labapp/state", "", 0o600, **own).file("var/lib/labapp/web", "w", 0o640, uid=1001, uname="labapp", gid=7, gname="labweb")
    later.build(new, key)
    web = Package("labweb", "1.0-r0", scripts={"pre-install": SERVER})
    own = {"uid": 100, "gid": 101, "uname": "labweb", "gname": "labweb"}
    web.dirs("usr", "usr/sbin", "var", "var/lib", "var/log").dirs("var/lib/labweb", "var/lib/labweb/tmp", mode=0o700, **own)
    web.dirs("var/log/labweb", mode=0o2755, uid=100, uname="labweb", gid=82, gname="www-data")
    web.file("usr/sbin/labweb", "web", 0o755).file("var/lib/labweb/index.html", "i", 0o644, **own)
    web.build(new, key)
    # an account that the image has under another number
    user = Package("labuser", "1.0-r0", scripts={"pre-install": KNOWN}).dirs("var", "var/lib")
    user.dirs("var/lib/known", mode=0o755, uid=107, gid=108, uname="known", gname="known")
    user.file("var/lib/known/f", "k", 0o600, uid=107, gid=108, uname="known", gname="known").build(new, key)


if __name__ == "__main__":
    main(*sys.argv[1:])
