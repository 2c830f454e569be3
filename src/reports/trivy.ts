// Trivy's JSON report, SchemaVersion 2 (trivy `pkg/types/report.go`). Read are the findings about system packages; what
// Trivy reports about language packages is counted only. `FixedVersion` is a source version, several joined by ", ".
import { OnlayError } from '../errors.ts';
import { encodeText } from '../base/bytes.ts';
import type { Finding } from '../packages/package.ts';
import { array, field, isObject, quoted, text, texts } from './json.ts';
import type { Report, ReportFormat } from './report.ts';

export const trivy: ReportFormat = {
  name: 'trivy',
  detect: (document) =>
    isObject(document) &&
    'SchemaVersion' in document &&
    ('Results' in document || 'ArtifactName' in document),
  parse(document, source): Report {
    const schema = field(document, 'SchemaVersion');
    if (schema !== 2)
      throw new OnlayError(
        'REPORT_UNSUPPORTED',
        `Report ${source} has Trivy schema ${quoted(schema)}, only 2 is known`,
        {
          hint: 'write the report with Trivy 0.20 or later',
        },
      );
    const type = text(document, 'ArtifactType');
    if (type !== '' && type !== 'container_image')
      throw new OnlayError(
        'REPORT_UNSUPPORTED',
        `Report ${source} is about a ${quoted(type)}, not about a container image`,
        {
          hint: 'write it with `trivy image`',
        },
      );
    const metadata = field(document, 'Metadata');
    const config = field(metadata, 'ImageConfig');
    const os = field(metadata, 'OS');
    const system = array(document, 'Results').filter((result) => text(result, 'Class') === 'os-pkgs');
    const types = new Set(system.map((result) => text(result, 'Type')));
    if (types.size > 1)
      throw new OnlayError(
        'REPORT_UNSUPPORTED',
        `Report ${source} mixes system packages of ${[...types].slice(0, 4).map(quoted).join(' and ')}`,
      );
    return {
      format: 'trivy',
      source,
      findings: system.flatMap((result) =>
        array(result, 'Vulnerabilities').map((found) => finding(found, source)),
      ),
      languageFindings: array(document, 'Results')
        .filter((result) => text(result, 'Class') === 'lang-pkgs')
        .reduce<number>((sum, result) => sum + array(result, 'Vulnerabilities').length, 0),
      os: isObject(os) ? { family: text(os, 'Family').toLowerCase(), version: text(os, 'Name') } : undefined,
      architecture: text(config, 'architecture') || undefined,
      variant: text(config, 'variant') || undefined,
      subject: {
        diffIds: texts(metadata, 'DiffIDs'),
        configDigest: text(metadata, 'ImageID') || undefined,
        manifestDigests: texts(metadata, 'RepoDigests').map((reference) =>
          reference.slice(reference.indexOf('@') + 1),
        ),
      },
    };
  },
};

function finding(found: unknown, source: string): Finding {
  const name = text(found, 'PkgName');
  const id = text(found, 'VulnerabilityID');
  if (name === '' || id === '')
    throw new OnlayError(
      'REPORT_INVALID',
      `Report ${source} has a finding without PkgName or VulnerabilityID`,
    );
  const arch = architectureOf(text(field(found, 'PkgIdentifier'), 'PURL'));
  const installed = text(found, 'InstalledVersion');
  const severity = text(found, 'Severity');
  return {
    id,
    name: encodeText(name),
    match: 'binary',
    ...(arch === undefined ? {} : { arch }),
    ...(installed === '' ? {} : { installed: encodeText(installed) }),
    fixed: text(found, 'FixedVersion')
      .split(',')
      .map((version) => encodeText(version.trim()))
      .filter((version) => version !== ''),
    ...(severity === '' ? {} : { severity }),
  };
}

/** The qualifier `arch` of a package URL; nothing where it is not encoded as one. */
function architectureOf(purl: string): string | undefined {
  const arch = /[?&]arch=([^&#]+)/.exec(purl)?.[1];
  try {
    return arch === undefined ? undefined : decodeURIComponent(arch);
  } catch {
    return undefined;
  }
}
