// zypp keeps a package with the vendor it came from (facts of SUSE: `quirks.vendorSticky`); /etc/zypp/vendors.d names
// groups of vendors that count as one. dnf does not look at vendors.
import type { RootView } from '../../rootfs/root-view.ts';
import type { Distro } from '../distro.ts';
import { parseIni } from './repositories/ini.ts';
import { readText } from './repositories/configuration.ts';

/** Whether a package of vendor `to` may replace one of vendor `from`. */
export function vendorRule(
  root: RootView,
  distro: Distro | undefined,
): (from: string, to: string) => boolean {
  if (!distro?.quirks.vendorSticky) return () => true;
  const groups: (readonly string[])[] = [];
  for (const name of root.list('etc/zypp/vendors.d'))
    for (const section of parseIni(readText(root, `etc/zypp/vendors.d/${name}`) ?? '')) {
      const vendors = section.values.get('vendors');
      if (section.name === 'main' && vendors !== undefined)
        groups.push(
          vendors
            .split(',')
            .map((vendor) => vendor.trim().toLowerCase())
            .filter((vendor) => vendor !== ''),
        );
    }
  return (from, to) => {
    const a = from.toLowerCase();
    const b = to.toLowerCase();
    if (a === b) return true;
    return groups.some(
      (group) => group.some((vendor) => a.startsWith(vendor)) && group.some((vendor) => b.startsWith(vendor)),
    );
  };
}
