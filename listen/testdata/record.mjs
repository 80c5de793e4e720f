// Records what JavaScript makes of patterns: node record.mjs > js_patterns.txt
// Each line of the output is verdict, pattern and name, as JSON texts separated by tabs. Verdicts:
//   true, false   the pattern is found in the name, or not
//   invalid       JavaScript refuses the pattern
//   unsupported   JavaScript takes it, a linear-time engine cannot

const cases = [
  // the patterns people write
  ['news/.*', ['news/', 'news/a', 'old/news/a', 'news', 'News/a', 'news/a\nb']],
  ['news/*', ['news', 'news/', 'xnewsx', 'new']],
  ['^news/', ['news/a', 'a/news/', 'news']],
  ['^news/.*', ['news/', 'news/\n', 'news', 'xnews/']],
  ['^news/.*$', ['news/', 'news/a', 'news/a\n', 'news/\u2028', 'news/\u2029x', 'news/a\rb', 'news/\u0085', 'news/\u202a', 'news/😀']],
  ['^news/.+$', ['news/', 'news/a', 'news/😀', 'news/\n']],
  ['^news/.+', ['news/', 'news/a', 'news/\na']],
  ['^news/[^/]+$', ['news/a', 'news/a/b', 'news/', 'news/\n', 'news/é']],
  ['news/[0-9]+$', ['news/12', 'news/12a', 'old/news/7']],
  ['^user/(\\d+)/profile$', ['user/1/profile', 'user//profile', 'user/12/profile/', 'user/٣/profile']],
  ['^(a|b)/', ['a/', 'b/', 'c/', '/a/']],
  ['a', ['xay', 'A', 'b']], ['.*', ['', 'x', '\n']], ['.+', ['', 'x', '\n', 'a\n']], ['^.*$', ['a', 'a\n', '']],
  ['.*latest$', ['a/latest', 'latest/', 'x\nlatest']], ['^a$', ['a', 'aa', 'a\n']], ['^', ['', 'x']], ['$', ['', 'x']], ['^$', ['', 'x']],
  ['a*b', ['b', 'ab', 'a']], ['a+', ['a', 'b']], ['a{2}', ['a', 'aa', 'aaa']], ['^a{2,3}$', ['a', 'aa', 'aaa', 'aaaa']], ['^a{0}b', ['b', 'ab']],
  ['lit.*$', ['lit', 'litx', 'lit\n', '\nlit']], ['x?', ['', 'y']], ['^x?y', ['y', 'xy', 'xxy']], ['^a+?$', ['aa', '']], ['^a??b$', ['b', 'ab']],
  ['a.c', ['abc', 'a\nc', 'a\u2028c', 'a\rc', 'a\u0085c', 'ac']],
  // anchors are about the whole name
  ['^b', ['a\nb']], ['a$', ['a\nb', 'a\n']], ['x^', ['x']], ['$x', ['x']], ['a|^b$|c', ['b', 'xb', 'c', 'd']],
  // empty alternatives and groups
  ['a|', ['b', '']], ['|a', ['b']], ['^(?:|a)$', ['', 'a', 'b']], ['()', ['x']], ['(?:)', ['x']], ['^(a|)b$', ['b', 'ab', 'bb']], ['^(a*)*$', ['aaa', 'b']],
  ['^(a|ab)(c|bcd)(d*)$', ['abcd', 'abc', 'acd']], ['^(?:\\b)*a', ['a', '-']], ['(|)*x', ['x', 'y']],
  // classes
  ['^\\d$', ['5', 'x', '٣']], ['^\\D$', ['5', 'x']], ['^\\w$', ['a', '_', '-', 'é', '0']], ['^\\W$', ['é', 'a']],
  ['^\\s$', [' ', '\t', '\v', '\f', '\r', '\u00a0', '\u1680', '\u180e', '\u2003', '\u2028', '\u202f', '\u205f', '\u3000', '\ufeff', '\u0085', '\u200b', 'x']],
  ['^\\S$', [' ', '\ufeff', 'x']], ['^[\\s\\S]$', ['\n', 'x']], ['^[^\\s]$', ['\u3000', 'x']], ['^[^\\W]$', ['a', '-']], ['^[\\D5]$', ['5', '6']],
  ['[]', ['', 'a']], ['[^]', ['', 'a', '\n']], ['a[]|b', ['a', 'b']], ['^[^]$', ['\n', '😀', '\ufffd']],
  ['^[a-]$', ['-', 'a', 'b']], ['^[-a]$', ['-', 'a']], ['^[a-c-e]$', ['b', '-', 'd', 'e']], ['^[\\d-x]$', ['-', '5', 'x', 'a']], ['^[x-\\d]$', ['-', 'x', 'y', '3']],
  ['^[^a]$', ['a', 'b', '\n', '😀']], ['^[[]$', ['[']], ['^[]]$', ['[]]', ']']], ['^[\\]]$', [']']], ['^[\\b]$', ['\b', 'b']], ['^[\\B]$', ['B']],
  ['^[.*+]$', ['.', '+', 'x']], ['^[a^]$', ['^', 'b']], ['^[\\-]$', ['-']], ['^[+--]$', [',', '.']], ['[[:alpha:]]', [':]', 'a', 'p]']], ['^[&&]$', ['&']],
  ['^[\\u0041-\\u0043]$', ['B', 'D']], ['^[\\x41-C]$', ['B']], ['^[\\0-\\x1f]$', ['\u0001', ' ']], ['^[\\u0000-\\uffff]$', ['a', 'é', '\ufffd', '😀']],
  // escapes
  ['^\\/$', ['/']], ['^\\a$', ['a', '\u0007']], ['^\\A$', ['A', '']], ['^\\z\\Z$', ['zZ']], ['^\\Qa.b\\E$', ['QaxbE', 'a.b']], ['^\\pL$', ['pL', 'a']], ['^\\p{L}$', ['p{L}', 'a']],
  ['^\\x41$', ['A']], ['^\\x4$', ['x4']], ['^\\x{41}$', ['A', 'x{41}']], ['^\\xg$', ['xg']], ['^\\u0041$', ['A']], ['^\\u41$', ['u41']], ['^\\u{3}$', ['uuu', '\u0003']], ['^\\u{61}$', ['a', 'u'.repeat(61)]], ['^\\u{1F600}$', ['😀', 'u{1F600}']],
  ['^\\u00e9$', ['é']], ['^\\cA$', ['\u0001']], ['^\\ca$', ['\u0001']], ['^\\c1$', ['\\c1', '\u0011']], ['^[\\c1]$', ['\u0011', 'c']], ['^[\\c_]$', ['\u001f']], ['^[\\c*]$', ['\\', 'c', '*']], ['\\c', ['\\c', 'c']], ['^\\c*$', ['\\ccc', '\\', 'c']],
  ['^\\0$', ['\0', '0']], ['^\\01$', ['\u0001']], ['^\\08$', ['\u00008']], ['^\\1$', ['\u0001']], ['^\\8$', ['8']], ['^\\101$', ['A']], ['^\\400$', ['\u00200']], ['^\\777$', ['?7']], ['^(a)\\2$', ['a\u0002', 'aa']], ['^(a)\\12$', ['a\n']], ['^[\\1]$', ['\u0001']], ['^(a)[\\1]$', ['a\u0001']], ['^[\\8]$', ['8']],
  ['^\\t\\n\\v\\f\\r$', ['\t\n\v\f\r']], ['^\\k$', ['k']], ['^\\k<a>$', ['k<a>']], ['^\\-\\_\\ \\é$', ['-_ é']], ['^\\.$', ['.', 'x']], ['^\\\\$', ['\\']], ['^a\\$b', ['a$b']], ['\\^', ['^', 'a']],
  ['\\bfoo\\b', ['a foo b', 'afoo', 'foo', 'éfoo']], ['\\Boo', ['foo', 'oo']], ['é\\b', ['é', 'éa']],
  // braces and brackets that mean themselves
  ['^a{$', ['a{']], ['^a{x}$', ['a{x}']], ['^a{,5}$', ['a{,5}', 'aaa']], ['^{$', ['{']], ['^}$', ['}']], ['^]$', [']']], ['^a{1$', ['a{1']], ['^a{1,$', ['a{1,']], ['^a{1,2$', ['a{1,2']], ['^x{ 1}$', ['x{ 1}']], ['^{}$', ['{}']], ['^a{1}?b$', ['ab']], ['^a{2,}$', ['a', 'aaaa']], ['^user/{id}$', ['user/{id}', 'user/']], ['a{01}', ['a']],
  // groups
  ['^(?<year>\\d{4})-(?<m>\\d\\d)$', ['2024-05', '24-05']], ['(?<$>a)', ['a']], ['(?<é_1>a)', ['a']], ['^((a)(?:b))+$', ['abab', 'aba']],
  // what lies beyond the BMP is two units
  ['^😀$', ['😀', '😁']], ['^.$', ['😀', 'é', 'a']], ['^..$', ['😀', 'ab']], ['^😀+$', ['😀', '😀😀']], ['^(?:😀)+$', ['😀😀']], ['^[😀]$', ['😀']], ['^[😀]{2}$', ['😀', '😁']], ['😀', ['a😀b', '😁']], ['^\\ud83d\\ude00$', ['😀']], ['\\ud83d', ['😀', 'é', '\ufffd']], ['^[\\ud800-\\udbff][\\udc00-\\udfff]$', ['😀', 'ab']], ['^\\W\\W$', ['😀']], ['^[^😀]$', ['a', '😀']], ['^a.*$', ['a😀']], ['\u{10f03d}', ['\u{10f03d}', '😀']], ['^x😀*', ['x😀', 'x']],
  ['\n', ['a\nb', 'n']], ['é', ['é', 'e\u0301']], ['İ', ['i', 'İ']], [' ', [' ', '']], ['^ß$', ['ß', 'ss']], ['\ufffd', ['\ufffd', 'a']], ['#', ['#']], ['%', ['50%']], ['"', ['"']],
  // refused
  ...['(', ')', '*', '+a', '?', 'a**', 'a*+', 'a{2}{3}', '{1}', 'a|*', '(?', '(?a)', '(?i)a', '(?P<n>a)', '(?<n', '(?<>a)', '(?<1>a)', '(?<a>x)(?<a>y)', '[', '[a', '[b-a]', '[\\', '\\', 'a{2,1}', '^*', '\\b+', '$?', '(a', 'a)', '(?<a>)\\k', '(?<a>)[\\k]', '(?<a b>x)', '(?:a', '({2})', 'a{99999999999,1}', '(?#c)', '(?>a)', '[\\u0062-\\u0061]', '[😀-😁]', '\\b{2}', '(?<😀>x)'].map((p) => [p, 0]),
  // beyond a linear-time engine, or our limits
  ...['(?=a)', 'a(?!b)', '(?<=a)b', '(?<!a)b', '(a)\\1', '\\1(a)', '(?<n>a)\\k<n>', '\\k<n>(?<n>a)', 'a{1001}', 'a{0,5000}', '(?:a{100}){100}', '(?:ab{500}){5}', 'a{99999999999}', '(?:(?:a{20}){20}){20}', '(?=a)*', '(?<\\u0061>x)', '('.repeat(101) + ')'.repeat(101), '^(?<a>x)\\1?'].map((p) => [p, 1]),
];

const text = (s) => JSON.stringify(s).replace(/[\u007f-\uffff]/g, (c) => '\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'));
const lines = new Set();
for (const [pattern, names] of cases) {
  let re = null;
  try { re = new RegExp(pattern); } catch { /* refused */ }
  if (!Array.isArray(names)) {
    if ((re !== null) !== (names === 1)) throw new Error(`unexpected verdict on ${pattern}`);
    lines.add(`${re ? 'unsupported' : 'invalid'}\t${text(pattern)}`);
    continue;
  }
  if (re === null) throw new Error(`JavaScript refuses ${pattern}`);
  for (const name of names) lines.add(`${re.test(name)}\t${text(pattern)}\t${text(name)}`);
}
console.log(`# Recorded by record.mjs with Node ${process.version}. Do not edit.\n${[...lines].join('\n')}`);
