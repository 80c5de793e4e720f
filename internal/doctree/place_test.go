package doctree

import (
	"strings"
	"testing"
)

func TestPlaceOfAnOffset(t *testing.T) {
	const text = "a\n\tüb = x\r\nlast"
	tests := []struct {
		off  int
		want Place
	}{
		{0, Place{1, 1, "a"}}, {1, Place{1, 2, "a"}}, {2, Place{2, 1, "\tüb = x"}}, {5, Place{2, 3, "\tüb = x"}},
		{len(text), Place{3, 5, "last"}}, {-3, Place{1, 1, "a"}}, {99, Place{3, 5, "last"}},
	}
	for _, tt := range tests {
		if got := PlaceOf(text, tt.off); got != tt.want {
			t.Errorf("%d: %+v, want %+v", tt.off, got, tt.want)
		}
	}
}

func TestExcerptHasACaretUnderTheColumn(t *testing.T) {
	long := strings.Repeat("x", 150) + "!" + strings.Repeat("y", 150)
	tests := []struct {
		place Place
		want  string
	}{
		{Place{7, 3, "abc"}, "    7 | abc\n      |   ^"},
		{Place{7, 3, "\tübc"}, "    7 | \tübc\n      | \t ^"},
		{Place{7, 4, "abc"}, "    7 | abc\n      |    ^"},
		{Place{7, 99, "abc"}, "    7 | abc\n      |    ^"},
		{Place{7, 0, ""}, "    7 | \n      | ^"},
		{Place{123456, 1, "a"}, "123456 | a\n       | ^"},
		{Place{7, 2, "a\xffb"}, "    7 | a\uFFFDb\n      |  ^"},
		{Place{7, 151, long}, "    7 | " + long[91:211] + "\n      | " + strings.Repeat(" ", 59) + "^"},
	}
	for _, tt := range tests {
		if got := tt.place.Excerpt(); got != tt.want {
			t.Errorf("%d:%d of %.20q:\n%s\nwant\n%s", tt.place.Line, tt.place.Column, tt.place.Source, got, tt.want)
		}
	}
}
