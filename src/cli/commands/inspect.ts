// `onlay inspect IMAGE`: what is in an image, as far as its layers say.
import { displayText } from '../../base/bytes.ts';
import { inspectImage } from '../../patch/inspect.ts';
import type { Inspection } from '../../patch/inspect.ts';
import type { RunStreams } from '../streams.ts';
import { readPlatforms } from '../inputs.ts';
import type { OutputFlags, TransportFlags } from '../options.ts';
import { openSource } from '../places.ts';
import { openSession } from '../session.ts';
import { formatBytes, printLines } from '../terminal.ts';

export type InspectFlags = TransportFlags & OutputFlags & { readonly platform?: readonly string[] };

export async function inspect(image: string, flags: InspectFlags, streams: RunStreams): Promise<number> {
  await using session = await openSession(flags, streams);
  const { terminal } = session;
  await using source = await openSource(image, session);
  const found = await inspectImage({
    source,
    platforms: readPlatforms(flags.platform),
    cache: session.cache,
    log: terminal.log,
    progress: terminal.progress,
    signal: session.signal,
    concurrency: 4,
    onPulled: () => undefined,
  });
  terminal.close();
  if (flags.json)
    streams.stdout.write(
      `${JSON.stringify({ schemaVersion: 1, image: image, platforms: found }, null, 2)}\n`,
    );
  else printLines(streams.stdout, found.flatMap(lines));
  return 0;
}

function lines(found: Inspection): readonly string[] {
  const { database, lineage } = found;
  return [
    `${found.platform} ${found.digest}`,
    `  distro:    ${found.distro.name}${found.distro.supported ? '' : ' (not supported)'}${found.distro.endOfLife === null ? '' : `, updates until ${found.distro.endOfLife}`}`,
    `  database:  ${database ? `${database.kind} at ${database.path}, ${database.packages.length} packages` : 'none'}`,
    `  layers:    ${found.layers.length}, ${formatBytes(found.layers.reduce((sum, { size }) => sum + size, 0))}`,
    ...(lineage
      ? [`  patched:   by ${lineage.by}${lineage.base === null ? '' : `, base ${lineage.base}`}`]
      : []),
    ...(database?.packages ?? []).map(
      ({ name, version, arch, held }) =>
        `  ${displayText(name)} ${version} ${arch}${held === undefined ? '' : ` (${held})`}`,
    ),
  ];
}
