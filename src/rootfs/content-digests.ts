// Digests of file contents besides SHA-256, which every layer index has: package databases record MD5 (dpkg, old rpm) or
// SHA-1 (apk). They are computed only where contents are held against such a database.
import { hash } from 'node:crypto';
import type { Inspector } from './layer-index.ts';
import type { RootNode } from './root-view.ts';

export interface ContentDigests {
  /** Lower-case hex. */
  readonly md5: string;
  readonly sha1: string;
}

export const contentDigests: Inspector = {
  name: 'content-digests',
  wants: () => true,
  inspect: (content): ContentDigests => ({
    md5: hash('md5', content, 'hex'),
    sha1: hash('sha1', content, 'hex'),
  }),
};

/** Undefined where they were not computed: no file, or one above the limit of inspectors. */
export function contentDigestsOf(node: RootNode): ContentDigests | undefined {
  return node.facts.get(contentDigests.name) as ContentDigests | undefined;
}
