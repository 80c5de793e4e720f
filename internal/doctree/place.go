package doctree

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Place is where an offset of a text lies, for people.
type Place struct {
	Line, Column int    // from 1, the column in characters
	Source       string // the whole line, without its end
}

// PlaceOf returns the place of an offset, which is moved into text if it lies outside.
func PlaceOf(text string, off int) Place {
	off = min(max(off, 0), len(text))
	start := strings.LastIndexByte(text[:off], '\n') + 1
	line, _, _ := strings.Cut(text[start:], "\n")
	return Place{
		Line:   strings.Count(text[:start], "\n") + 1,
		Column: utf8.RuneCountInString(text[start:off]) + 1,
		Source: strings.TrimSuffix(line, "\r"),
	}
}

// excerptRunes bounds the part of a line that is shown around a column.
const excerptRunes = 120

// Excerpt shows the part of the line around p with its number, and below it a caret under the column. It ends
// without a line end.
func (p Place) Excerpt() string {
	runes := []rune(strings.ToValidUTF8(p.Source, "\uFFFD"))
	column := min(max(p.Column, 1), len(runes)+1)
	from := 0
	if column > excerptRunes-20 {
		from = column - excerptRunes/2
	}
	shown := runes[from:min(len(runes), from+excerptRunes)]
	number := fmt.Sprintf("%5d", p.Line)
	pad := strings.Map(keepTabs, string(shown[:column-1-from]))
	return fmt.Sprintf("%s | %s\n%s | %s^", number, string(shown), strings.Repeat(" ", len(number)), pad)
}

// keepTabs makes padding as wide as the text it stands for.
func keepTabs(r rune) rune {
	if r == '\t' {
		return r
	}
	return ' '
}
