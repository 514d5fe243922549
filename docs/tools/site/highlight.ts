/**
 * Code with its comments, texts, keys and words told apart by colour. A glance, not a parser: where it is wrong, a colour is wrong and
 * nothing else; the characters are always those of the source.
 */
const SHELL = /(?<comment>(?<=^|\s)#.*)|(?<text>'[^'\n]*'|"[^"\n]*")|(?<key>(?<=\s)--?[a-zA-Z][\w-]*)/gm;
const YAML =
  /(?<comment>(?<=^|\s)#.*)|(?<key>^[ \t]*(?:- )?[\w.-]+(?=:(?:\s|$))|(?<=[{,]\s*)[\w-]+(?=:\s))|(?<text>'[^'\n]*'|"[^"\n]*")|(?<number>(?<![\w.-])\d[\d_.]*(?:ms|s|m|h|d|B|KiB|MiB|GiB)?(?![\w.]))/gm;
const JSON_ =
  /(?<key>"(?:[^"\\\n]|\\.)*"(?=\s*:))|(?<text>"(?:[^"\\\n]|\\.)*")|(?<number>-?\b\d[\d.eE+-]*\b|\b(?:true|false|null)\b)/g;
const CODE =
  /(?<comment>\/\/.*|\/\*[\s\S]*?\*\/)|(?<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`)|(?<word>\b(?:import|export|from|const|let|function|return|if|else|for|while|new|class|interface|type|async|await|public|static|final|void|private)\b)|(?<number>\b\d[\d_.]*\b)/g;
const PYTHON =
  /(?<comment>#.*)|(?<text>"""[\s\S]*?"""|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")|(?<word>\b(?:import|from|def|return|if|else|elif|for|in|while|class|with|as|not|and|or|None|True|False|lambda)\b)|(?<number>\b\d[\d_.]*\b)/g;
const DOCKER = /(?<comment>^#.*)|(?<word>^[A-Z]+\b)|(?<text>'[^'\n]*'|"[^"\n]*")/gm;

const LANGUAGES: Readonly<Record<string, RegExp>> = {
  ...{ sh: SHELL, bash: SHELL, yaml: YAML, yml: YAML, json: JSON_, jsonl: JSON_, avsc: JSON_ },
  ...{ ts: CODE, js: CODE, java: CODE, python: PYTHON, py: PYTHON, Dockerfile: DOCKER, gpu: DOCKER },
};

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

export function highlight(code: string, language: string): string {
  const pattern = LANGUAGES[language];
  if (pattern === undefined) return escapeHtml(code);
  let html = '';
  let end = 0;
  for (const match of code.matchAll(pattern)) {
    const kind = Object.entries(match.groups ?? {}).find(([, text]) => text !== undefined)?.[0];
    html += `${escapeHtml(code.slice(end, match.index))}<span class="${kind}">${escapeHtml(match[0])}</span>`;
    end = match.index + match[0].length;
  }
  return html + escapeHtml(code.slice(end));
}
