"""What real dnf would do: reads cases from standard input, one JSON object a line, and answers in the same way.

{"root": DIR, "names": [..] or null, "arch": "x86_64", "excludes": [..], "repositories": [{"id", "path", "priority",
"cost", "excludes"}..]} -> {"install": [nevra..], "remove": [nevra..]}
`names` null upgrades everything. Weak dependencies are not installed, best=False, signatures are not checked.
"""
import json
import shutil
import sys
import tempfile

import dnf
import dnf.exceptions


def plan(case):
    base = dnf.Base()
    conf = base.conf
    conf.installroot = case["root"]
    conf.cachedir = tempfile.mkdtemp()
    conf.persistdir = conf.cachedir
    conf.reposdir = []
    conf.pluginpath = []
    conf.best = False
    conf.install_weak_deps = False
    conf.gpgcheck = False
    conf.substitutions["arch"] = case["arch"]
    conf.substitutions["basearch"] = case["arch"]
    conf.substitutions["releasever"] = "9"
    try:
        conf.excludepkgs = case["excludes"]
        for repo in case["repositories"]:
            base.repos.add_new_repo(repo["id"], conf, baseurl=["file://" + repo["path"]], priority=repo["priority"],
                                    cost=repo["cost"], excludepkgs=repo["excludes"])
        base.fill_sack(load_system_repo=True)
        if case["names"] is None:
            base.upgrade_all()
        else:
            for name in case["names"]:
                try:
                    base.upgrade(name)
                except dnf.exceptions.MarkingError:
                    pass
        try:
            base.resolve(allow_erasing=False)
        except dnf.exceptions.DepsolveError as error:
            return {"error": str(error)[:200]}
        name = lambda p: "%s-%s:%s-%s.%s" % (p.name, p.epoch, p.version, p.release, p.arch)
        return {"install": sorted(name(p) for p in base.transaction.install_set),
                "remove": sorted(name(p) for p in base.transaction.remove_set)}
    finally:
        base.close()
        shutil.rmtree(conf.cachedir, ignore_errors=True)


for line in sys.stdin:
    print(json.dumps(plan(json.loads(line))), flush=True)
