// XML of repositories: small documents as a tree. Document types, entities beyond XML's five, and processing
// instructions are refused; depth and size are limited by the callers' limits on bytes.
import { SaxesParser } from 'saxes';
import { OnlayError, messageOf } from '../../../errors.ts';
import { byteString } from '../../../base/bytes.ts';

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** Character data directly inside. */
  readonly text: string;
}

const MAX_DEPTH = 64;

/** Parses a document, or a fragment with one root. Text comes back as byte strings of UTF-8. Throws INDEX_INVALID. */
export function parseXml(bytes: Uint8Array, what: string): XmlElement {
  const invalid = (why: string, cause?: unknown): OnlayError =>
    new OnlayError('INDEX_INVALID', `Cannot read ${what}: ${why}`, { cause });
  const parser = new SaxesParser();
  interface Open {
    name: string;
    attributes: Record<string, string>;
    children: XmlElement[];
    text: string;
  }
  const stack: Open[] = [{ name: '', attributes: {}, children: [], text: '' }];
  parser.on('doctype', () => {
    throw invalid('it has a document type');
  });
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (stack.length > MAX_DEPTH) throw invalid('it is nested too deeply');
    const element = {
      name,
      attributes: Object.assign(Object.create(null), attributes) as Record<string, string>,
      children: [],
      text: '',
    };
    (stack.at(-1) as Open).children.push(element);
    stack.push(element);
  });
  parser.on('closetag', () => void stack.pop());
  const addText = (text: string): void => {
    (stack.at(-1) as Open).text += text;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  try {
    // the parser works on characters; bytes above ASCII pass as they are, because only ASCII is markup
    parser.write(byteString(bytes).replace(CONTROL, '\ufffd')).close();
  } catch (error) {
    if (error instanceof OnlayError) throw error;
    throw invalid(messageOf(error), error);
  }
  const root = stack[0]?.children[0];
  if (!root) throw invalid('it is empty');
  return root;
}

// C1 controls are bytes of UTF-8 sequences here; the parser accepts them, but not C0 ones other than white space
// oxlint-disable-next-line no-control-regex -- that is the point
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g;

export function childOf(element: XmlElement, name: string): XmlElement | undefined {
  return element.children.find((child) => child.name === name);
}

export function childrenOf(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name);
}

export function textOf(element: XmlElement, name: string): string | undefined {
  return childOf(element, name)?.text.trim();
}
