// glob(3) inside an image, for configuration files that include others by pattern.
import type { RootView } from '../rootfs/root-view.ts';

/** Paths that match, sorted by byte. `*`, `?` and `[…]` match within one component and not a leading dot. */
export function expandGlob(root: RootView, pattern: string): readonly string[] {
  let paths = [''];
  for (const part of pattern.split('/').filter((component) => component !== '')) {
    if (!/[*?[]/.test(part))
      paths = paths.map((path) => `${path}/${part}`).filter((path) => root.follow(path) !== undefined);
    else {
      const expression = componentExpression(part);
      paths = paths.flatMap((path) =>
        root
          .list(path)
          .filter((name) => expression.test(name))
          .map((name) => `${path}/${name}`),
      );
    }
  }
  return paths;
}

function componentExpression(part: string): RegExp {
  const dot = part.startsWith('.') ? '' : '(?!\\.)';
  const body = part.replace(/\*+|\?|\[!?[^\]]*\]|[\\^$.|+(){}[\]]/g, (token) => {
    if (token.startsWith('*')) return '[^/]*';
    if (token === '?') return '[^/]';
    if (token.length > 2 && token.startsWith('[')) return token.replace('[!', '[^').replaceAll('\\', '\\\\');
    return `\\${token}`;
  });
  return new RegExp(`^${dot}${body}$`);
}
