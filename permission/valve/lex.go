package valve

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"deepstream-fast/internal/ecma"
)

// tokenKind says what a token is.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenText
	tokenTemplate // the opening backtick; the parser reads on by itself
	tokenWord     // identifier or keyword
	tokenSign
)

// token is one token of a rule.
type token struct {
	kind     tokenKind
	from, to int     // in the rule
	text     string  // word, sign, or what a string says
	number   float64 // of a number
}

// syntaxError is a mistake in the text of a rule.
type syntaxError struct {
	from    int // offset in the rule
	message string
}

func (e *syntaxError) Error() string { return e.message }

func syntaxErrorf(from int, format string, args ...any) *syntaxError {
	return &syntaxError{from, fmt.Sprintf(format, args...)}
}

// lexer cuts the text of a rule into tokens. It panics with a *syntaxError; parse recovers.
type lexer struct {
	src string
	pos int
}

func (l *lexer) fail(from int, format string, args ...any) {
	panic(syntaxErrorf(from, format, args...))
}

// signs by length, so that the longest is found first. Among them are those of JavaScript that rules may
// not use, so that a message can name them.
var signs = []string{
	">>>=", "...", "===", "!==", ">>>", "**=", "<<=", ">>=", "&&=", "||=", "??=",
	"=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "++", "--", "+=", "-=", "*=", "/=", "%=",
	"&=", "|=", "^=", "<<", ">>", "**",
	"{", "}", "(", ")", "[", "]", ";", ",", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "!", "~",
	"?", ":", "=", ".", "#", "@",
}

// next returns the next token. A slash is a sign: where an operand is expected, the parser calls regex.
func (l *lexer) next() token {
	l.skipSpace()
	from := l.pos
	if from == len(l.src) {
		return token{kind: tokenEnd, from: from, to: from}
	}
	c := l.src[from]
	switch {
	case c == '"' || c == '\'':
		return token{kind: tokenText, from: from, text: l.quoted(c), to: l.pos}
	case c == '`':
		l.pos++
		return token{kind: tokenTemplate, from: from, to: l.pos}
	case isDigit(c) || c == '.' && from+1 < len(l.src) && isDigit(l.src[from+1]):
		n := l.number()
		return token{kind: tokenNumber, from: from, to: l.pos, number: n}
	}
	if word := wordLen(l.src[from:]); word > 0 {
		l.pos += word
		return token{kind: tokenWord, from: from, to: l.pos, text: l.src[from:l.pos]}
	}
	return l.sign()
}

func (l *lexer) sign() token {
	rest := l.src[l.pos:]
	for _, s := range signs {
		if !strings.HasPrefix(rest, s) || s == "?." && len(rest) > 2 && isDigit(rest[2]) {
			continue
		}
		l.pos += len(s)
		return token{kind: tokenSign, from: l.pos - len(s), to: l.pos, text: s}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	l.fail(l.pos, "unexpected character %q", r)
	return token{}
}

// skipSpace steps over white space, line ends and comments.
func (l *lexer) skipSpace() {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case strings.HasPrefix(rest, "//"):
			end := strings.IndexAny(rest, "\n\r\u2028\u2029")
			if end < 0 {
				end = len(rest)
			}
			l.pos += end
		case strings.HasPrefix(rest, "/*"):
			end := strings.Index(rest[2:], "*/")
			if end < 0 {
				l.fail(l.pos, "comment is not closed")
			}
			l.pos += end + 4
		default:
			r, n := utf8.DecodeRuneInString(rest)
			if !ecma.IsSpace(r) {
				return
			}
			l.pos += n
		}
	}
}

func isDigit(c byte) bool { return c-'0' <= 9 }

// wordLen returns the length of the identifier at the start of s, or 0.
func wordLen(s string) int {
	for i, r := range s {
		letter := r == '$' || r == '_' || unicode.IsLetter(r)
		if !letter && (i == 0 || !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r) && r != 0x200C && r != 0x200D) {
			return i
		}
	}
	return len(s)
}

// number reads a number literal.
func (l *lexer) number() float64 {
	from, end := l.pos, l.pos
	for end < len(l.src) {
		c := l.src[end]
		sign := (c == '+' || c == '-') && l.src[end-min(end, 1)]|0x20 == 'e' && !strings.HasPrefix(strings.ToLower(l.src[from:]), "0x")
		if !isDigit(c) && c != '.' && c != '_' && c != '$' && c|0x20-'a' > 'z'-'a' && !sign {
			break
		}
		end++
	}
	l.pos = end
	text := l.src[from:end]
	plain := strings.ReplaceAll(text, "_", "")
	badSeparator := strings.Contains(text, "__") || strings.HasSuffix(text, "_") || strings.Contains(text, "._") || strings.Contains(text, "_.")
	switch {
	case strings.HasSuffix(text, "n") && strings.Trim(text, "0123456789n") == "":
		l.fail(from, "BigInt literals cannot be used in a rule; write %s", strings.TrimSuffix(text, "n"))
	case len(text) > 1 && text[0] == '0' && (isDigit(text[1]) || text[1] == '_'):
		l.fail(from, "number %s has a leading zero", text)
	}
	n := ecma.Number(plain)
	if n != n || badSeparator {
		l.fail(from, "%s is no number", text)
	}
	return n
}

// quoted reads a string literal.
func (l *lexer) quoted(quote byte) string {
	from := l.pos
	l.pos++
	var b unitBuilder
	for {
		if l.pos >= len(l.src) {
			l.fail(from, "string is not closed")
		}
		switch c := l.src[l.pos]; c {
		case quote:
			l.pos++
			return b.text()
		case '\n', '\r':
			l.fail(from, "string is not closed in its line")
		case '\\':
			l.escape(&b)
		default:
			l.char(&b)
		}
	}
}

// char takes one character as it is.
func (l *lexer) char(b *unitBuilder) {
	r, n := utf8.DecodeRuneInString(l.src[l.pos:])
	b.rune(r)
	l.pos += n
}

var simpleEscapes = map[byte]rune{'n': '\n', 't': '\t', 'b': '\b', 'v': '\v', 'f': '\f', 'r': '\r'}

// escape reads what follows a backslash in a string or template.
func (l *lexer) escape(b *unitBuilder) {
	from := l.pos
	l.pos++
	if l.pos >= len(l.src) {
		l.fail(from, "escape is not finished")
	}
	c := l.src[l.pos]
	simple, known := simpleEscapes[c]
	switch {
	case known:
		b.rune(simple)
		l.pos++
	case c == 'x':
		l.pos++
		b.unit(uint16(l.hex(from, 2)))
	case c == 'u' && strings.HasPrefix(l.src[l.pos:], "u{"):
		end := strings.IndexByte(l.src[l.pos:], '}')
		n, err := strconv.ParseUint(l.src[l.pos+2:l.pos+max(end, 2)], 16, 32)
		if end < 0 || err != nil || n > unicode.MaxRune {
			l.fail(from, `\u{…} needs a hexadecimal number up to 10FFFF`)
		}
		b.rune(rune(n))
		l.pos += end + 1
	case c == 'u':
		l.pos++
		b.unit(uint16(l.hex(from, 4)))
	case c == '0' && (l.pos+1 == len(l.src) || !isDigit(l.src[l.pos+1])):
		b.rune(0)
		l.pos++
	case isDigit(c):
		l.fail(from, `octal escapes cannot be used in a rule; write \x or \u`)
	case c == '\r' || c == '\n':
		if l.pos++; c == '\r' && l.pos < len(l.src) && l.src[l.pos] == '\n' {
			l.pos++
		}
	default:
		l.char(b)
	}
}

// hex reads count hexadecimal digits of the escape at from.
func (l *lexer) hex(from, count int) uint64 {
	if l.pos+count > len(l.src) {
		l.fail(from, "escape needs %d hexadecimal digits", count)
	}
	n, err := strconv.ParseUint(l.src[l.pos:l.pos+count], 16, 32)
	if err != nil || strings.ContainsAny(l.src[l.pos:l.pos+count], "+-_") {
		l.fail(from, "escape needs %d hexadecimal digits", count)
	}
	l.pos += count
	return n
}

// regex reads the regular expression literal that starts with the slash at from.
func (l *lexer) regex(from int) (source, flags string, to int) {
	class := false
	for i := from + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == '\n' || c == '\r':
			l.fail(from, "regular expression is not closed in its line")
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			l.pos = i + 1 + wordLen(l.src[i+1:])
			return l.src[from+1 : i], l.src[i+1 : l.pos], l.pos
		}
	}
	l.fail(from, "regular expression is not closed")
	return "", "", 0
}

// unitBuilder builds text from characters and from halves of surrogate pairs. A half that stays alone
// becomes U+FFFD, since UTF-8 cannot express it.
type unitBuilder struct {
	b    strings.Builder
	high uint16 // half a pair that waits for the other one
}

func (u *unitBuilder) rune(r rune) {
	u.flush()
	u.b.WriteRune(r)
}

func (u *unitBuilder) unit(c uint16) {
	if u.high != 0 && c >= 0xDC00 && c <= 0xDFFF {
		u.b.WriteRune(utf16.DecodeRune(rune(u.high), rune(c)))
		u.high = 0
		return
	}
	u.flush()
	if c >= 0xD800 && c <= 0xDBFF {
		u.high = c
		return
	}
	u.b.WriteRune(rune(c))
}

func (u *unitBuilder) flush() {
	if u.high != 0 {
		u.b.WriteRune(utf8.RuneError)
		u.high = 0
	}
}

func (u *unitBuilder) text() string {
	u.flush()
	return u.b.String()
}
