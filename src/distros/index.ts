// Every supported distro, written out. The order does not matter: each is recognised by its own ID.
import type { DistroDefinition } from './definition.ts';
import { almalinux } from './almalinux.ts';
import { alpine } from './alpine.ts';
import { amazon } from './amazon.ts';
import { azurelinux } from './azurelinux.ts';
import { centos } from './centos.ts';
import { chainguard } from './chainguard.ts';
import { debian } from './debian.ts';
import { fedora } from './fedora.ts';
import { mariner } from './mariner.ts';
import { opensuseLeap } from './opensuse-leap.ts';
import { opensuseTumbleweed } from './opensuse-tumbleweed.ts';
import { oracle } from './oracle.ts';
import { photon } from './photon.ts';
import { rhel } from './rhel.ts';
import { rocky } from './rocky.ts';
import { sles } from './sles.ts';
import { ubuntu } from './ubuntu.ts';
import { wolfi } from './wolfi.ts';

export const distros: readonly DistroDefinition[] = [
  almalinux,
  alpine,
  amazon,
  azurelinux,
  centos,
  chainguard,
  debian,
  fedora,
  mariner,
  opensuseLeap,
  opensuseTumbleweed,
  oracle,
  photon,
  rhel,
  rocky,
  sles,
  ubuntu,
  wolfi,
];
