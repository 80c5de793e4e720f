package file

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"deepstream-fast/auth"
)

// Table is users by name.
type Table map[string]Entry

// Entry is one user.
type Entry struct {
	Password   string
	ClientData []byte // JSON text, auth.Null if there is none
	ServerData []byte // the same
}

// Mistake is something wrong with a table.
type Mistake struct {
	User    string // empty: the table itself
	Key     string // of the user; empty: the user itself
	Message string

	Harmless bool // the official server loads it too
}

// entryKeys are what a user may have.
var entryKeys = []string{"password", "serverData", "clientData"}

// ParseTable reads a document as a configuration file has it: map[string]any by user name. It returns
// all mistakes, by user name; the table is of use only if all of them are harmless.
func ParseTable(document any) (Table, []Mistake) {
	users, ok := document.(map[string]any)
	if !ok {
		return nil, []Mistake{{Message: "expected users by name"}}
	}
	if len(users) == 0 {
		return nil, []Mistake{{Message: "the table is empty: nobody could log in"}}
	}
	table := make(Table, len(users))
	var mistakes []Mistake
	for _, name := range slices.Sorted(maps.Keys(users)) {
		entry, wrong := parseEntry(users[name])
		for _, m := range wrong {
			m.User = name
			mistakes = append(mistakes, m)
		}
		table[name] = entry
	}
	return table, mistakes
}

func parseEntry(value any) (e Entry, mistakes []Mistake) {
	fields, ok := value.(map[string]any)
	if !ok {
		return e, []Mistake{{Message: `expected a section with a "password"`}}
	}
	e.Password, ok = fields["password"].(string)
	if _, there := fields["password"]; !there {
		mistakes = append(mistakes, Mistake{Message: `key "password" is missing`})
	} else if !ok {
		mistakes = append(mistakes, Mistake{Key: "password", Message: "expected a text; numbers and the like need quotes"})
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(entryKeys, key) {
			mistakes = append(mistakes, Mistake{Key: key, Harmless: true, Message: "has no effect; a user has password, serverData and clientData"})
		}
	}
	var problem *Mistake
	if e.ClientData, problem = dataOf(fields, "clientData"); problem != nil {
		mistakes = append(mistakes, *problem)
	}
	if e.ServerData, problem = dataOf(fields, "serverData"); problem != nil {
		mistakes = append(mistakes, *problem)
	}
	return e, mistakes
}

// dataOf returns a member as JSON text.
func dataOf(fields map[string]any, key string) ([]byte, *Mistake) {
	value, ok := fields[key]
	if !ok || value == nil {
		return auth.Null, nil
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, &Mistake{Key: key, Message: fmt.Sprintf("has no JSON form: %v", err)}
	}
	return data, nil
}
