package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span. In a file it is an integer in milliseconds or text with a unit, "1m30s".
type Duration time.Duration

// Off is a Duration that was switched off with false or null.
const Off Duration = 0

// durationMax is what a timer of the official server can count: 2^31-1 milliseconds, 24 days.
const durationMax = Duration(math.MaxInt32) * Duration(time.Millisecond)

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns d with units, such as "1m30s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseDuration(s string) (Duration, bool) {
	d, err := time.ParseDuration(strings.TrimSpace(s))
	return Duration(d), err == nil
}

// Size is a number of bytes. In a file it is an integer or text with a unit, "16MiB".
type Size int64

// sizeMax bounds every Size; far above any memory this server is meant for.
const sizeMax Size = 1 << 40

// sizeUnits is ordered so that String finds the largest binary unit first.
var sizeUnits = []struct {
	name  string
	bytes Size
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1},
}

// String returns s in the largest binary unit that keeps it whole.
func (s Size) String() string {
	for _, u := range sizeUnits[:4] {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func parseSize(text string) (Size, bool) {
	text = strings.TrimSpace(text)
	unit := Size(1)
	for _, u := range sizeUnits {
		if n := len(text) - len(u.name); n > 0 && strings.EqualFold(text[n:], u.name) {
			unit, text = u.bytes, strings.TrimSpace(text[:n])
			break
		}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > int64(sizeMax/unit) {
		return 0, false
	}
	return Size(n) * unit, true
}

// LogLevel is the least severe level that is logged; the numbers are the official server's.
type LogLevel int

// The log levels. LevelInherit takes over the level of the root.
const (
	LevelInherit LogLevel = -1
	LevelDebug   LogLevel = 0
	LevelInfo    LogLevel = 1
	LevelWarn    LogLevel = 2
	LevelError   LogLevel = 3
	LevelFatal   LogLevel = 4
	LevelOff     LogLevel = 100
)

var levelNames = map[LogLevel]string{
	LevelInherit: "INHERIT", LevelDebug: "DEBUG", LevelInfo: "INFO", LevelWarn: "WARN",
	LevelError: "ERROR", LevelFatal: "FATAL", LevelOff: "OFF",
}

// String returns the name of l, or its number if it has none.
func (l LogLevel) String() string {
	if name, ok := levelNames[l]; ok {
		return name
	}
	return strconv.Itoa(int(l))
}

// ParseLogLevel reads a name in any case, or a number.
func ParseLogLevel(s string) (LogLevel, bool) {
	s = strings.TrimSpace(s)
	for level, name := range levelNames {
		if strings.EqualFold(s, name) {
			return level, true
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, false
	}
	_, known := levelNames[LogLevel(n)]
	return LogLevel(n), known
}

// Document is free-form content a later stage interprets: map[string]any, []any, string, bool,
// int64, float64 or nil.
type Document struct {
	Value any
	File  string // it was loaded from with fileLoad; empty if it stands in the configuration itself
}

// Plugins maps names chosen by the operator to compiled-in plugins.
type Plugins map[string]Plugin

// Plugin is one of them.
type Plugin struct {
	Name    string   `key:"name" required:"true" doc:"Driver compiled into the server."`
	Options Document `key:"options" default:"" doc:"Handed to the driver."`
}
