// SUSE Linux Enterprise. Ends of general support of the service packs: https://www.suse.com/lifecycle. Images of
// version 15 may take their updates from SLE_BCI, which needs no registration.
import type { DistroDefinition } from './definition.ts';

export const sles: DistroDefinition = {
  id: 'sles',
  aliases: ['sled', 'sles_sap', 'sle_hpc'],
  name: 'SUSE Linux Enterprise',
  family: 'rpm',
  releases: [
    { version: '12.5', endOfLife: '2024-10-31' },
    { version: '15.3', endOfLife: '2022-12-31' },
    { version: '15.4', endOfLife: '2023-12-31' },
    { version: '15.5', endOfLife: '2024-12-31' },
    { version: '15.6', endOfLife: '2025-12-31' },
    { version: '15.7', endOfLife: '2031-07-31' },
  ],
  repositories: (release) => {
    const pack = /^15\.(\d+)$/.exec(release?.version ?? '')?.[1];
    return pack === undefined
      ? []
      : [`SLE_BCI=https://updates.suse.com/SUSE/Products/SLE-BCI/15-SP${pack}/$basearch/product/`];
  },
  quirks: () => ({ rpmColor: 0, vendorSticky: true }),
};
