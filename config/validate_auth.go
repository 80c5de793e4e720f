package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"deepstream-fast/auth/file"
	"deepstream-fast/auth/jwt"
	"deepstream-fast/auth/password"
	"deepstream-fast/auth/webhook"
)

// auth checks the handlers as far as their tags cannot.
func (k *checker) auth(c *Config) {
	if len(c.Auth) == 0 {
		k.problem("auth", "auth is empty: nobody could log in; for open access write type = \"none\"")
	}
	for i := range c.Auth {
		a, options := &c.Auth[i], fmt.Sprintf("auth[%d].options", i)
		switch a.Type {
		case "none":
			if i > 0 {
				k.warn(fmt.Sprintf("auth[%d].type", i), fmt.Sprintf("auth[%d].type = \"none\": whoever the handlers before it refuse gets in under the name they give; to ignore that name set anonymousId", i))
			}
		case "file":
			k.hashing(&a.File.Hashing, options)
			k.users(&a.File, options+".users")
		case "http":
			k.webhook(&a.HTTP, options)
		case "storage":
			k.hashing(&a.Storage.Hashing, options)
			k.userRecords(&a.Storage, c, options)
		case "jwt":
			k.jwt(&a.JWT, options)
		}
	}
}

// hashing checks how passwords are stored.
func (k *checker) hashing(h *Hashing, options string) {
	switch {
	case h.Hash == "":
	case !password.KnownDigest(h.Hash):
		hint := ""
		if near := nearest(h.Hash, password.Digests()); near != "" {
			hint = "; did you mean " + quote(near) + "?"
		}
		k.problem(options+".hash", fmt.Sprintf("%s.hash = %s: expected one of %s%s", options, quote(h.Hash), quoteAll(password.Digests()), hint))
	case h.Iterations == 0 || h.KeyLength == 0:
		k.problem(options, options+": hash needs iterations and keyLength, such as iterations = 210000 and keyLength = 32")
	}
}

// Scheme returns h as package password has it.
func (h *Hashing) Scheme() password.Scheme {
	return password.Scheme{Digest: h.Hash, Iterations: h.Iterations, KeyLength: h.KeyLength}
}

// users checks the table, at the place of each user.
func (k *checker) users(a *FileAuth, path string) {
	if a.Users.Value == nil {
		k.problem(path, path+" is missing: expected a section, normally from \"fileLoad(users.yml)\"")
		return
	}
	table, mistakes := file.ParseTable(a.Users.Value)
	wrong := false
	for _, m := range mistakes {
		report := k.problemIn
		if m.Harmless {
			report = k.warnIn
		}
		wrong = wrong || !m.Harmless
		report(path, m.Message, nonEmpty(m.User, m.Key)...)
	}
	scheme := a.Scheme()
	if wrong || scheme.Validate() != nil {
		return
	}
	for name, user := range table {
		_, err := scheme.Parse(user.Password)
		switch {
		case errors.Is(err, password.ErrArgon):
			k.problemIn(path, strings.TrimPrefix(err.Error(), "password: "), name, "password")
		case err != nil:
			k.warnIn(path, strings.TrimPrefix(err.Error(), "password: ")+": this user can't log in; make the password with \"deepstream-fast hash\"", name, "password")
		}
	}
}

func nonEmpty(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

// problemIn reports message at keys within the document at path. Lines of it are not shown: they may
// hold passwords.
func (k *checker) problemIn(path, message string, keys ...string) {
	if p, ok := k.locateIn(path, message, keys); ok {
		k.report.add(p)
	}
}

// warnIn is problemIn for what is accepted.
func (k *checker) warnIn(path, message string, keys ...string) {
	if p, ok := k.locateIn(path, message, keys); ok {
		k.report.warn(p)
	}
}

func (k *checker) locateIn(path, message string, keys []string) (Problem, bool) {
	if k.broken[path] || k.report.full() {
		return Problem{}, false
	}
	full, n := path, k.at[path]
	for _, key := range keys {
		full = join(full, key)
		if n != nil && n.get(key) != nil {
			n = n.get(key)
		}
	}
	p := Problem{Key: full, Message: full + ": " + message}
	if n != nil {
		p = n.src.problem(n.pos, full, p.Message)
	}
	p.Source, p.secret = "", true
	return p, true
}

// webhook checks where questions go.
func (k *checker) webhook(a *HTTPAuth, options string) {
	k.url(a.EndpointURL, options+".endpointUrl", "https://login.example.com/deepstream")
	if len(a.PermittedStatusCodes) == 0 {
		k.problem(options+".permittedStatusCodes", options+".permittedStatusCodes is empty: nobody could log in")
	}
	for i, name := range a.PromoteToHeader {
		if !webhook.ValidHeader(name) {
			here := fmt.Sprintf("%s.promoteToHeader[%d]", options, i)
			k.problem(here, fmt.Sprintf("%s = %s: not the name of a header", here, quote(name)))
		}
	}
}

// url checks one that is set.
func (k *checker) url(value, path, example string) {
	if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		k.problem(path, fmt.Sprintf("%s = %s: expected a URL such as %q", path, quote(value), example))
	}
}

// userRecords checks that there is a place for them.
func (k *checker) userRecords(a *StorageAuth, c *Config, options string) {
	switch {
	case strings.TrimSpace(a.Table) == "":
		k.problem(options+".table", options+".table is empty: expected the first part of the records' names, such as \"Users\"")
	case c.Storage.Type == "none" || !c.EnabledFeatures.Record:
		k.problem(options, options+": users are kept as records, which need storage.type = \"default\" and enabledFeatures.record = true")
	}
	for _, prefix := range c.Record.StorageExclusionPrefixes {
		if a.Table != "" && strings.HasPrefix(a.Table+"/", prefix) {
			k.problem(options+".table", fmt.Sprintf("%s.table = %s: record.storageExclusionPrefixes keeps these records out of the storage", options, quote(a.Table)))
		}
	}
}

// jwt checks that there is one kind of key, that it is one, and that the algorithms go with it.
func (k *checker) jwt(a *JWTAuth, options string) {
	k.jwtKey(a, options)
	k.jwtAlgorithms(a, options)
	k.url(a.JWKSURL, options+".jwksUrl", "https://login.example.com/.well-known/jwks.json")
	if strings.HasPrefix(a.JWKSURL, "http:") {
		k.warn(options+".jwksUrl", options+".jwksUrl is not https: whoever is on the way can replace the keys and log in as anybody")
	}
	if a.Token == "" && a.Header == "" && a.Cookie == "" {
		k.problem(options+".token", options+": expected token, header or cookie: where the token is")
	}
	if a.IDClaim == "" {
		k.problem(options+".idClaim", options+".idClaim is empty: expected the claim that is the user id, such as \"sub\"")
	}
	if a.Cookie != "" {
		k.warn(options+".cookie", options+".cookie: browsers send cookies with the connections of every page; set httpServer.options.checkWebSocketOrigin and origins")
	}
}

func (k *checker) jwtKey(a *JWTAuth, options string) {
	given := nonEmpty(a.Secret, a.PublicKey, a.JWKSURL)
	if a.JWKS.Value != nil {
		given = append(given, "jwks")
	}
	if len(given) != 1 {
		k.problem(options, options+": expected exactly one of secret, publicKey, jwks and jwksUrl")
		return
	}
	switch {
	case a.Secret != "" && len(a.Secret) < jwt.SecretBytesMin:
		k.problemIn(options+".secret", fmt.Sprintf("%d bytes, expected at least %d, such as from \"openssl rand -hex 32\"", len(a.Secret), jwt.SecretBytesMin))
	case a.PublicKey != "":
		if err := jwt.CheckPublicKey(a.PublicKey); err != nil {
			k.problem(options+".publicKey", fmt.Sprintf("%s.publicKey: %v; expected PEM text, normally from \"fileLoad(key.pem)\"", options, err))
		}
	case a.JWKS.Value != nil:
		text, err := json.Marshal(a.JWKS.Value)
		if err == nil {
			err = jwt.CheckKeySet(text)
		}
		if err != nil {
			k.problemIn(options+".jwks", strings.ReplaceAll(err.Error(), "\n", ": "))
		}
	}
}

func (k *checker) jwtAlgorithms(a *JWTAuth, options string) {
	if len(a.Algorithms) == 0 {
		k.problem(options+".algorithms", options+".algorithms is empty: nobody could log in")
	}
	for i, alg := range a.Algorithms {
		here := fmt.Sprintf("%s.algorithms[%d]", options, i)
		symmetric := strings.HasPrefix(alg, "HS")
		switch {
		case !slices.Contains(jwt.Algorithms, alg):
			k.problem(here, fmt.Sprintf("%s = %s: expected one of %s%s", here, quote(alg), quoteAll(jwt.Algorithms), meant(here, alg, jwt.Algorithms)))
		case symmetric && a.Secret == "":
			k.problem(here, fmt.Sprintf("%s = %s: that algorithm needs a secret; with a public key, whoever knows it could make tokens", here, quote(alg)))
		case !symmetric && a.Secret != "":
			k.problem(here, fmt.Sprintf("%s = %s: that algorithm needs a public key, not a secret", here, quote(alg)))
		}
	}
}
