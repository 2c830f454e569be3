// The archive of class data that Java packages make when they are configured (`java -Xshare:dump`): it belongs to one
// build of the virtual machine, which refuses another's. Where the machine changed and the archive did not, it goes;
// Java starts without it, only slower. https://openjdk.org/jeps/310
import type { Effect, EffectContext } from './effect.ts';

export const javaArchive: Effect = {
  name: 'java-archive',
  families: ['dpkg', 'rpm', 'apk'],
  standsFor: () => false,
  covers: ([program, ...args]) => program === 'java' && args.includes('-Xshare:dump'),
  apply({ draft }: EffectContext): void {
    for (const { path } of draft.changes().changes) {
      const server = /^(.*\/lib\/server)\/libjvm\.so$/.exec(path)?.[1];
      if (server === undefined || draft.base.lookup(path)?.sha256 === draft.lookup(path)?.sha256) continue;
      for (const name of draft.list(server)) {
        const archive = `${server}/${name}`;
        const isOld = draft.base.lookup(archive)?.sha256 === draft.lookup(archive)?.sha256;
        if (/^classes(?:_\w+)?\.jsa$/.test(name) && isOld) draft.remove(archive);
      }
    }
  },
};
