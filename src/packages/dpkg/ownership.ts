// Which packages have which paths: the .list files of all installed packages, as dpkg holds them in memory, kept up to
// date while packages are installed. Paths are spelled as the packages spell them ("/lib/x" is not "/usr/lib/x").

/** Identifies an installed package: "name:arch". */
export type PackageId = string & { readonly __packageId?: never };

export function packageId({ name, arch }: { readonly name: string; readonly arch: string }): PackageId {
  return `${name}:${arch}`;
}

export class Ownership {
  readonly #lists = new Map<PackageId, readonly string[]>();
  readonly #owners = new Map<string, PackageId[]>();

  /** Paths of a package, in the order of its list; undefined when it has none. */
  list(id: PackageId): readonly string[] | undefined {
    return this.#lists.get(id);
  }

  has(id: PackageId, name: string): boolean {
    return this.#owners.get(name)?.includes(id) ?? false;
  }

  /** Packages that have `name`, other than `except`. */
  owners(name: string, except?: PackageId): readonly PackageId[] {
    const owners = this.#owners.get(name) ?? NOBODY;
    return owners.length === 0 || except === undefined ? owners : owners.filter((id) => id !== except);
  }

  /** Sets the paths of a package; undefined: it is gone. */
  replace(id: PackageId, list: readonly string[] | undefined): void {
    for (const name of this.#lists.get(id) ?? []) {
      const owners = this.#owners.get(name)?.filter((owner) => owner !== id) ?? [];
      if (owners.length === 0) this.#owners.delete(name);
      else this.#owners.set(name, owners);
    }
    if (!list) {
      this.#lists.delete(id);
      return;
    }
    this.#lists.set(id, list);
    for (const name of list) {
      const owners = this.#owners.get(name);
      if (!owners) this.#owners.set(name, [id]);
      else if (!owners.includes(id)) owners.push(id);
    }
  }
}

const NOBODY: readonly PackageId[] = [];
