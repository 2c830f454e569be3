// The source package behind a binary one, from the file name that its header states: `bash-5.1.8-6.el9.src.rpm`.

export interface SourcePackage {
  readonly name: string;
  /** With the binary's epoch, as scanners compare it. */
  readonly version: string;
}

export function sourceOf(
  sourceRpm: string,
  binary: { name: string; epoch: number; version: string },
): SourcePackage {
  const match = /^(.+)-([^-]+-[^-]+)\.(?:no)?src\.rpm$/.exec(sourceRpm);
  if (!match) return { name: binary.name, version: binary.version };
  return { name: match[1] as string, version: `${binary.epoch === 0 ? '' : `${binary.epoch}:`}${match[2]}` };
}
