package valve

import (
	"fmt"
	"strings"

	"deepstream-fast/internal/doctree"
)

// problemsMax bounds a report.
const problemsMax = 20

// Problem is one mistake in a permission file, or one warning about it.
type Problem struct {
	File    string
	Line    int    // from 1
	Column  int    // from 1, in characters
	Key     string // section, path and rule type, as far as known: record."a/$b".write
	Message string // one line
	Source  string // the line as written
}

// Error returns the message with its position, then the line with a caret under the column.
func (p Problem) Error() string {
	where := ""
	if p.Key != "" {
		where = p.Key + ": "
	}
	place := doctree.Place{Line: p.Line, Column: p.Column, Source: p.Source}
	return fmt.Sprintf("%s:%d:%d: %s%s\n%s", p.File, p.Line, p.Column, where, p.Message, place.Excerpt())
}

// Errors is every problem of a file, in the order of its lines.
type Errors []Problem

// Error returns all problems, one after the other.
func (e Errors) Error() string {
	parts := make([]string, len(e))
	for i, p := range e {
		parts[i] = p.Error()
	}
	return strings.Join(parts, "\n")
}

// position is where a value stands in a file, and what it says.
type position struct {
	file string
	text string // of the whole file
	from int    // offset of the value, at its quote if it has one
	says string // a string value
}

// place is a line and a column, from 1, the column in characters.
type place struct {
	file         string
	line, column int
}

// String returns file:line:column.
func (p place) String() string { return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.column) }

// at returns the place of offset off in what the value says. Where that is spelled in another way than it
// says, with escapes or folded lines, it is the place of the value.
func (p position) at(off int) place {
	return placeOf(p.file, p.text, p.offset(off))
}

// offset returns where in the file offset off of what the value says is. What is looked for is the line
// of it, from where the value begins on; in folded text, the word.
func (p position) offset(off int) int {
	if p.says == "" {
		return p.from
	}
	off = min(off, len(p.says))
	start := strings.LastIndexByte(p.says[:off], '\n') + 1
	line, _, _ := strings.Cut(p.says[start:], "\n")
	// Not further than the value could reach if every byte of it was escaped.
	within := p.text[p.from:min(len(p.text), p.from+6*len(p.says)+1024)]
	if at := strings.Index(within, line); at >= 0 && strings.TrimSpace(line) != "" {
		return p.from + at + off - start
	}
	word := p.says[off:]
	if end := strings.IndexAny(word, " \n"); end > 0 {
		word = word[:end]
	}
	if at := strings.Index(within, word); at >= 0 && word != "" && at == strings.LastIndex(within, word) {
		return p.from + at
	}
	return p.from
}

func placeOf(file, text string, off int) place {
	at := doctree.PlaceOf(text, off)
	return place{file, at.Line, at.Column}
}

// problem returns a Problem at offset off of what the value says.
func (p position) problem(off int, key, message string) Problem {
	return problemAt(p.file, p.text, p.offset(off), key, message)
}

func problemAt(file, text string, off int, key, message string) Problem {
	at := doctree.PlaceOf(text, off)
	return Problem{File: file, Line: at.Line, Column: at.Column, Key: key, Message: message, Source: at.Source}
}
