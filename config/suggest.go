package config

import (
	"reflect"
	"regexp"
	"strings"
)

// advice answers what people write who come from the official server or its documentation, by the
// section's path without list positions and the text found there.
var advice = map[string]map[string]string{
	"httpServer": {"uws": `; write type = "default", which needs no native library`, "node": `; write type = "default"`},
	"logger":     {"pino": `; write type = "json", which logs the same members`},
	"auth[]":     {"open": `; did you mean "none"?`},
	"permission": {"valve": `; did you mean "config"?`, "open": `; did you mean "none"?`},
	"connectionEndpoints[]": {
		"websocket": `; did you mean "ws-binary"?`, "ws": `; did you mean "ws-binary"?`,
		"binary": `; did you mean "ws-binary"?`, "text": `; did you mean "ws-text"?`,
		"json": `; did you mean "ws-json"?`, "uws-websocket": `; did you mean "ws-binary"?`,
	},
	"clusterNode": {
		"vertical": `; remove it, one process uses all cores already`,
	},
	"plugins": {
		"heap-snapshot": `; remove it, it looks into the memory of another language`,
	},
	"storage": {"memory": `; did you mean "none"?`},
	"cache":   {"memory": `; did you mean "default"?`, "none": `; did you mean "default"?`},
	"permission.options": {
		"path": `; write permissions = "fileLoad(<file>)"`,
	},
	"auth[].options": {
		"path": `; write users = "fileLoad(<file>)"`,
	},
}

var listPosition = regexp.MustCompile(`\[\d+\]`)

// schemaPath turns "auth[1].options" into "auth[].options".
func schemaPath(path string) string { return listPosition.ReplaceAllString(path, "[]") }

// meant returns advice on a value that is not one of allowed, ready to append to a message.
func meant(path, value string, allowed []string) string {
	if hint := advice[schemaPath(path)][strings.ToLower(value)]; hint != "" {
		return hint
	}
	if near := nearest(value, allowed); near != "" {
		return "; did you mean " + quote(near) + "?"
	}
	return ""
}

// misplaced returns advice on a key that is not one of siblings: a renamed one, a near one, or the
// section it belongs to.
func misplaced(path, key string, siblings []string) string {
	if hint := meant(path, key, siblings); hint != "" {
		return hint
	}
	var homes []string
	visit(reflect.TypeFor[Config](), "", "", func(at, variant string, f field) {
		home, isNested := strings.CutSuffix(at, "."+key)
		if !isNested && at != key || len(homes) == 3 || f.key == "type" || f.key == "options" {
			return
		}
		switch {
		case !isNested:
			home = "at the top level"
		case variant != "":
			home = "in " + home + " (type " + strings.ReplaceAll(variant, " ", ", ") + ")"
		default:
			home = "in " + home
		}
		homes = append(homes, home)
	})
	if len(homes) == 0 {
		return ""
	}
	return "; it belongs " + strings.Join(homes, " or ")
}

// nearest returns the candidate most like text, empty if none is close.
func nearest(text string, candidates []string) string {
	best, bestDistance := "", 1+max(1, min(len(text), 24)/4)
	for _, c := range candidates {
		if d := distance(fold(text), fold(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// fold removes what differs between naming styles: log_level, log-level and LogLevel are one.
func fold(s string) string {
	const longest = 64 // keys are shorter, and distance is quadratic
	s = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s))
	return s[:min(len(s), longest)]
}

// distance counts the edits between a and b: insert, delete, replace, swap two neighbours.
func distance(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		rows = [3][]int{old, row, older}
	}
	return rows[1][len(b)]
}
