package valve

import (
	"errors"
	"fmt"
	"hash/maphash"
	"regexp"
	"regexp/syntax"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

const (
	// patternBytesMax is the longest regular expression.
	patternBytesMax = 2048
	// regexStepsMax bounds a match by RE2: instructions times bytes of the text. It takes 20 ms at most.
	regexStepsMax = 1 << 21
	// regexTick is how often the clock ticks that ends matches after regexTime.
	regexTick = time.Millisecond
	// backtrackBytesMax is the longest text for such a match: it is copied and may be looked at for
	// regexTime.
	backtrackBytesMax = 256 << 10
	// matchesMax is how many matches a regular expression with flag g may have.
	matchesMax = 10_000
	// instsMax is the largest number of instructions for RE2: repetitions are written out.
	instsMax = 20_000
	// dynamicBytesMax is the longest regular expression that is made from text at run time, on a loop.
	dynamicBytesMax = 256
	// dynamicMax is how many of those are kept, and dynamicInstsMax how large: all take 30 MiB at most.
	dynamicMax      = 256
	dynamicInstsMax = 1000
)

// regexTime is how long a match may take that has to backtrack. The clock may be two ticks late, so that
// 5 ms are kept. Only tests change it.
var regexTime = 3 * time.Millisecond

var errSlow = errors.New("valve: regular expression takes too long")

// regex is a compiled regular expression of JavaScript. Safe for concurrent use.
type regex struct {
	source, flags string
	global        bool
	sticky        bool
	units         bool // without flag u, characters above U+FFFF are two
	insts         int

	fast *regexp.Regexp  // RE2, if it can express the pattern
	slow *regexp2.Regexp // else a backtracking engine
}

var emptyRegex = func() *regex {
	re, err := compileRegex("", "")
	if err != nil {
		panic(err) // the empty pattern is one
	}
	return re
}()

// compileRegex compiles the literal /source/flags.
func compileRegex(source, flags string) (*regex, error) {
	if len(source) > patternBytesMax {
		return nil, fmt.Errorf("regular expression has %d bytes, more than the maximum of %d", len(source), patternBytesMax)
	}
	re := &regex{source: source, flags: flags, units: true}
	t := translator{src: source, units: true}
	for i, f := range flags {
		if strings.ContainsRune(flags[:i], f) {
			return nil, fmt.Errorf("flag %q of the regular expression stands twice", f)
		}
		switch f {
		case 'g':
			re.global = true
		case 'y':
			re.sticky = true
		case 'i':
			t.ignoreCase = true
		case 'm':
			t.multiline = true
		case 's':
			t.dotAll = true
		case 'u':
			t.unicode, t.units, re.units = true, false, false
		default:
			return nil, fmt.Errorf("unknown flag %q of a regular expression", f)
		}
	}
	return re, re.compile(&t)
}

// compilePathRegex compiles a path. Its characters are whole, so that offsets are those of the name.
func compilePathRegex(source string) (*regex, error) {
	re := &regex{source: source}
	if len(source) > patternBytesMax {
		return nil, fmt.Errorf("path has more than the maximum of %d bytes", patternBytesMax)
	}
	return re, re.compile(&translator{src: source})
}

func (re *regex) compile(t *translator) error {
	text, backtrack, err := t.translate()
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	if backtrack {
		return re.compileSlow(text)
	}
	return re.compileFast(text)
}

// compileFast compiles for RE2, or for the other engine if an empty match may have to be told apart from
// the one before it: there Go's notion of all matches is not JavaScript's.
func (re *regex) compileFast(text string) error {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	if re.global && mayBeEmpty(tree) {
		return re.compileSlow(text)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	if re.insts = len(prog.Inst); re.insts > instsMax {
		return errors.New("regular expression has too many repetitions")
	}
	re.fast, err = regexp.Compile(text)
	return err
}

var clock sync.Once

func (re *regex) compileSlow(text string) error {
	clock.Do(func() { regexp2.SetTimeoutCheckPeriod(regexTick) })
	slow, err := regexp2.Compile(text, regexp2.ECMAScript)
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	slow.MatchTimeout = regexTime
	re.slow = slow
	return nil
}

// mayBeEmpty reports whether a match of tree may be empty.
func mayBeEmpty(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return mayBeEmpty(tree.Sub[0])
	case syntax.OpRepeat:
		return tree.Min == 0 || mayBeEmpty(tree.Sub[0])
	case syntax.OpConcat:
		for _, sub := range tree.Sub {
			if !mayBeEmpty(sub) {
				return false
			}
		}
	case syntax.OpAlternate:
		for _, sub := range tree.Sub {
			if mayBeEmpty(sub) {
				return true
			}
		}
		return false
	}
	return true
}

// match returns the match and its groups, with flag g all matches, or nil. It fails with errSlow.
func (re *regex) match(s string) ([]value, error) {
	if re.units {
		s = splitPairs(s)
	}
	found, err := re.matchUnits(s)
	if re.units {
		for i := range found {
			found[i].text = joinPairs(found[i].text)
		}
	}
	return found, err
}

// find returns where the first match and its groups are in s, or nil. It fails with errSlow.
func (re *regex) find(s string) ([]int, error) {
	if re.fast == nil || len(s)*re.insts > regexStepsMax {
		return nil, errSlow
	}
	return re.fast.FindStringSubmatchIndex(s), nil
}

func (re *regex) matchUnits(s string) ([]value, error) {
	switch {
	case re.slow != nil:
		return re.matchSlow(s)
	case len(s)*re.insts > regexStepsMax:
		return nil, errSlow
	case re.global:
		return re.matchAll(s)
	}
	at := re.fast.FindStringSubmatchIndex(s)
	if at == nil || re.sticky && at[0] != 0 {
		return nil, nil
	}
	found := make([]value, len(at)/2)
	for i := range found {
		if from := at[2*i]; from >= 0 {
			found[i] = textValue(s[from:at[2*i+1]])
		}
	}
	return found, nil
}

// matchAll is match for flag g and patterns that match no empty text.
func (re *regex) matchAll(s string) ([]value, error) {
	at := re.fast.FindAllStringIndex(s, matchesMax+1)
	if len(at) > matchesMax {
		return nil, errSlow
	}
	var found []value
	end := 0
	for _, m := range at {
		if re.sticky && m[0] != end {
			break
		}
		found, end = append(found, textValue(s[m[0]:m[1]])), m[1]
	}
	return found, nil
}

func (re *regex) matchSlow(s string) ([]value, error) {
	if len(s) > backtrackBytesMax {
		return nil, errSlow
	}
	start := time.Now() // the timeout is per match, the bound is for all of them
	m, err := re.slow.FindStringMatch(s)
	if err != nil || m == nil || re.sticky && m.RuneIndex != 0 {
		return nil, slowIf(err)
	}
	var found []value
	if !re.global {
		for _, g := range m.Groups() {
			v := value{}
			if len(g.Captures) > 0 {
				v = textValue(g.String())
			}
			found = append(found, v)
		}
		return found, nil
	}
	for end := 0; err == nil && m != nil && (!re.sticky || m.RuneIndex == end); m, err = re.slow.FindNextMatch(m) {
		if found = append(found, textValue(m.String())); len(found) > matchesMax || time.Since(start) > regexTime {
			return nil, errSlow
		}
		end = m.RuneIndex + m.RuneLength
	}
	return found, slowIf(err)
}

// slowIf hides which limit it was that ended a match.
func slowIf(err error) error {
	if err != nil {
		return errSlow
	}
	return nil
}

// pairBase is where halves of surrogate pairs are put while a regular expression is at work that sees
// units: a plane of characters that themselves become halves.
const pairBase = 0x100000

// splitPairs replaces each character above U+FFFF by its two halves.
func splitPairs(s string) string {
	if !hasPairs(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r > 0xFFFF {
			b.WriteRune(pairBase + 0xD800 + (r-0x10000)>>10)
			r = pairBase + 0xDC00 + (r-0x10000)&0x3FF
		}
		b.WriteRune(r)
	}
	return b.String()
}

// joinPairs is the way back. A half without the other one becomes U+FFFD.
func joinPairs(s string) string {
	if !hasPairs(s) {
		return s
	}
	var u unitBuilder
	for _, r := range s {
		if r > 0xFFFF {
			u.unit(uint16(r - pairBase))
		} else {
			u.rune(r)
		}
	}
	return u.text()
}

func hasPairs(s string) bool {
	for i := range len(s) {
		if s[i] >= 0xF0 {
			return utf8.ValidString(s)
		}
	}
	return false
}

// dynamic keeps compiled regular expressions by the hash of their source. A newer one takes the place of
// an older one, so that there are never more than dynamicMax.
var dynamic struct {
	seed  maphash.Seed
	slots [dynamicMax]atomic.Pointer[regex]
}

func init() { dynamic.seed = maphash.MakeSeed() }

// dynamicRegex returns the regular expression that source is, for RE2 only.
func dynamicRegex(source string) (*regex, error) {
	slot := &dynamic.slots[maphash.String(dynamic.seed, source)%dynamicMax]
	if re := slot.Load(); re != nil && re.source == source {
		return re, nil
	}
	if len(source) > dynamicBytesMax {
		return nil, fmt.Errorf("regular expression has %d bytes, more than the maximum of %d at run time", len(source), dynamicBytesMax)
	}
	re, err := compileRegex(strings.Clone(source), "")
	if err != nil {
		return nil, err
	}
	if re.slow != nil {
		// Its author may be a peer, who could hold up the loop with every message.
		return nil, errors.New("look-around and back-references cannot be made at run time")
	}
	if re.insts <= dynamicInstsMax {
		slot.Store(re)
	}
	return re, nil
}
