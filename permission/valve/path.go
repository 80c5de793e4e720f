package valve

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf16"
)

// pattern is a path of a permission file with one of its rules: which names it matches.
//
// In a path, * stands for any text without line ends and $name for text without a slash, which becomes a
// variable. All else is a regular expression, as in the official server, but nearly always plain text;
// paths made of these three alone are matched without one.
type pattern struct {
	text   string
	length int    // in units
	prefix string // every name that matches begins with it
	rule   *rule

	parts []part // how to match, unless regex is there
	rest  bool   // whatever follows the last part matches, line ends excepted
	regex *regex
	vars  []string // with their dollar signs
}

// part is plain text, and perhaps a variable up to the next slash behind it.
type part struct {
	text     string
	variable bool
}

var pathVariable = regexp.MustCompile(`\$[A-Za-z0-9]+`)

// metaCharacters mean something to a regular expression.
const metaCharacters = `.+?()[]{}|^$\`

// compilePath checks path and returns a pattern for it without a rule. The error says what is wrong;
// warning is about what is allowed, but probably not meant.
func compilePath(path string) (p *pattern, warning string, err error) {
	p = &pattern{text: path, length: len(utf16.Encode([]rune(path))), vars: pathVariable.FindAllString(path, -1)}
	switch {
	case path == "":
		return nil, "", fmt.Errorf("a path must not be empty")
	case path[0] == '/':
		return nil, "", fmt.Errorf("a path must not start with a slash")
	case len(p.vars) > capturesMax:
		return nil, "", fmt.Errorf("a path with more than %d variables", capturesMax)
	}
	for i := range len(path) - 1 {
		if path[i] == '$' && !pathVariable.MatchString(path[i:i+2]) {
			return nil, "", fmt.Errorf("a dollar sign needs the name of a variable behind it: letters and digits")
		}
	}
	plain := pathVariable.ReplaceAllString(path, "")
	if at := strings.IndexAny(plain, metaCharacters); at >= 0 {
		warning = fmt.Sprintf("%q in the path belongs to a regular expression and does not stand for itself", plain[at])
	}
	p.prefix = path[:strings.IndexAny(path+"*", "*"+metaCharacters)]
	if strings.ContainsAny(plain, "?{|") {
		p.prefix = "" // what is before these need not be there
	}
	if warning != "" || !p.split() {
		err = p.compile()
	}
	return p, warning, err
}

// split cuts the path into parts. It returns false if that takes more than one look from left to right:
// a variable that does not end at a slash, a star that is not the end.
func (p *pattern) split() bool {
	rest := p.text
	for rest != "" {
		at := strings.IndexAny(rest, "*$")
		if at < 0 {
			p.parts = append(p.parts, part{rest, false})
			return true
		}
		if rest[at] == '*' {
			p.parts, p.rest = append(p.parts, part{rest[:at], false}), true
			return at+1 == len(rest)
		}
		name := pathVariable.FindString(rest[at:])
		p.parts = append(p.parts, part{rest[:at], true})
		if rest = rest[at+len(name):]; rest != "" && rest[0] != '/' {
			return false
		}
	}
	return true
}

// compile makes the regular expression that the path is.
func (p *pattern) compile() error {
	p.parts, p.rest = nil, false
	source := pathVariable.ReplaceAllString(strings.ReplaceAll(p.text, "*", ".*"), "([^/]+)")
	re, err := compilePathRegex("^" + source + "$")
	switch {
	case err != nil:
		return err
	case re.fast == nil:
		return fmt.Errorf("look-around and back-references cannot be used in a path")
	case re.fast.NumSubexp() > capturesMax:
		return fmt.Errorf("a path with more than %d variables and parentheses", capturesMax)
	}
	p.regex = re
	return nil
}

// match reports whether name matches, and sets what the variables stand for. It fails with errSlow if that
// would take too long to find out. It allocates only for paths that are regular expressions.
func (p *pattern) match(name string, c *captures) (bool, error) {
	if !strings.HasPrefix(name, p.prefix) {
		return false, nil
	}
	if p.regex != nil {
		return p.matchRegex(name, c)
	}
	return p.matchParts(name, c), nil
}

func (p *pattern) matchParts(name string, c *captures) bool {
	at, variable := 0, 0
	for _, part := range p.parts {
		if !strings.HasPrefix(name[at:], part.text) {
			return false
		}
		at += len(part.text)
		if !part.variable {
			continue
		}
		end := strings.IndexByte(name[at:], '/')
		if end < 0 {
			end = len(name) - at
		}
		if end == 0 {
			return false
		}
		c[variable].from, c[variable].to = int32(at), int32(at+end)
		at += end
		variable++
	}
	if p.rest {
		return !hasLineEnd(name[at:])
	}
	return at == len(name)
}

// hasLineEnd reports whether s has what no star matches.
func hasLineEnd(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\n' || c == '\r':
			return true
		case c == 0xE2 && (strings.HasPrefix(s[i:], "\u2028") || strings.HasPrefix(s[i:], "\u2029")):
			return true
		}
	}
	return false
}

func (p *pattern) matchRegex(name string, c *captures) (bool, error) {
	found, err := p.regex.find(name)
	if err != nil || found == nil {
		return false, err
	}
	for i := 2; i < len(found); i += 2 {
		c[i/2-1].from, c[i/2-1].to = int32(found[i]), int32(found[i+1])
	}
	return true, nil
}
