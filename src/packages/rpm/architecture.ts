// Names of machines: OCI's → rpm's, and what else a machine can run. `basearch` is what repository URLs use.

export interface RpmArchitecture {
  readonly arch: string;
  readonly basearch: string;
  readonly bigEndian: boolean;
  /** Architectures of packages that may be installed, best first; `noarch` always may. */
  readonly compatible: readonly string[];
}

const I386 = ['i686', 'i586', 'i486', 'i386'];

const ARCHITECTURES: Readonly<Record<string, RpmArchitecture>> = {
  amd64: machine('x86_64', ['x86_64', 'amd64', 'ia32e', 'athlon', ...I386]),
  '386': { ...machine('i686', I386), basearch: 'i386' },
  arm64: machine('aarch64', ['aarch64']),
  arm: { ...machine('armv7hl', ['armv7hnl', 'armv7hl', 'armv6hl']), basearch: 'armhfp' },
  ppc64le: machine('ppc64le', ['ppc64le']),
  s390x: { ...machine('s390x', ['s390x', 's390']), bigEndian: true },
  riscv64: machine('riscv64', ['riscv64']),
  loong64: machine('loongarch64', ['loongarch64']),
};

function machine(arch: string, compatible: readonly string[]): RpmArchitecture {
  return { arch, basearch: arch, bigEndian: false, compatible };
}

export function rpmArchitecture(imageArch: string): RpmArchitecture {
  return ARCHITECTURES[imageArch] ?? machine(imageArch, [imageArch]);
}
