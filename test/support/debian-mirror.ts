// The Debian mirror of this machine's apt, read from its configuration at run time; no mirror is named in the project.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface DebianMirror {
  /** Base URL of the main archive, without a trailing slash. */
  readonly archive: string;
  readonly security: string;
}

/** Throws when apt is not configured for Debian. */
export function debianMirror(): DebianMirror {
  const found = [...sources()];
  const archive = found.find(({ suite }) => !suite.includes('-') && !suite.includes('/'))?.uri;
  if (archive === undefined) throw new Error('apt on this machine has no Debian source');
  const security =
    found.find(({ suite }) => suite.endsWith('-security'))?.uri ??
    archive.replace(/\/debian$/, '/debian-security');
  return { archive, security };
}

function* sources(): Generator<{ uri: string; suite: string }> {
  for (const file of ['/etc/apt/sources.list', ...below('/etc/apt/sources.list.d')]) {
    const text = read(file);
    if (file.endsWith('.sources')) {
      for (const block of text.replace(/^#.*\n/gm, '').split(/\n\s*\n/)) {
        const field = (name: string): string[] =>
          new RegExp(`^${name}:(.*)$`, 'mi').exec(block)?.[1]?.trim().split(/\s+/) ?? [];
        for (const uri of field('URIs'))
          for (const suite of field('Suites')) yield { uri: uri.replace(/\/+$/, ''), suite };
      }
    } else {
      for (const [, uri, suite] of text.matchAll(/^\s*deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)/gm))
        yield { uri: (uri as string).replace(/\/+$/, ''), suite: suite as string };
    }
  }
}

function below(folder: string): string[] {
  try {
    return readdirSync(folder)
      .sort()
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
