// The .ini dialect of dnf, yum, tdnf and zypp: sections, `key = value`, '#' and ';' comments, continuation lines that
// begin with white space.

export interface IniSection {
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
}

/** Sections in order; lines before the first section and lines without '=' are ignored, as those tools do. */
export function parseIni(text: string): readonly IniSection[] {
  const sections: { name: string; values: Map<string, string> }[] = [];
  let key: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const section = sections.at(-1);
    if (/^\s*(?:[#;]|$)/.test(line)) continue;
    const header = /^\[([^\]]+)\]/.exec(line);
    if (header) {
      sections.push({ name: (header[1] as string).trim(), values: new Map() });
      key = undefined;
    } else if (!section) continue;
    else if (/^\s/.test(line) && key !== undefined) {
      section.values.set(key, `${section.values.get(key) ?? ''}\n${line.trim()}`.trim());
    } else {
      const equals = line.indexOf('=');
      if (equals === -1) continue;
      key = line.slice(0, equals).trim().toLowerCase();
      section.values.set(key, line.slice(equals + 1).trim());
    }
  }
  return sections;
}

/** A list: separated by white space or commas. */
export function listValue(value: string | undefined): readonly string[] {
  return (value ?? '').split(/[\s,]+/).filter((item) => item !== '');
}

export function booleanValue(value: string | undefined, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (/^(?:1|yes|true|on|enabled|always)$/i.test(value)) return true;
  return /^(?:0|no|false|off|disabled|never)$/i.test(value) ? false : otherwise;
}

export function numberValue(value: string | undefined, otherwise: number): number {
  return value !== undefined && /^-?\d+$/.test(value) ? Number(value) : otherwise;
}
