package depmap

import (
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/webpage"
)

var page = template.Must(template.New("map").Funcs(template.FuncMap{
	"class": class, "signs": States, "services": func(lines []*Line) int { return len(lines) },
}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{{.Policy}}">
<title>Map of {{.Map.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<div class="wrap">
<header class="top">
<p class="eyebrow">Map of a deployment</p>
<h1>{{.Map.Title}}</h1>
<p class="lead">{{.Counts}}</p>
</header>
<main>
<section aria-label="Map">{{.Figure}}</section>
<section aria-labelledby="links"><h2 id="links">Links</h2>
{{range .Map.Groups}}{{$group := .Title}}{{range .Nodes}}{{if .Out}}
<h3>{{.Name}} <span class="muted">{{.Does}}</span></h3>
<div class="tablewrap" tabindex="0" role="region" aria-label="What {{.Name}} calls"><table><caption>{{$group}}: what {{.Name}} calls</caption>
<thead><tr><th scope="col">to</th><th scope="col">protocol</th><th scope="col">address</th>{{if $.Map.Checked}}<th scope="col">state</th><th scope="col">what was seen</th>{{end}}</tr></thead>
<tbody>{{range .Out}}{{$to := .To.Name}}{{range .Links}}
<tr><th scope="row">{{$to}}</th><td>{{.Protocol}}</td><td><code>{{.Address}}</code></td>{{if $.Map.Checked}}<td><span class="badge {{class .State}}">{{.State.Name}}</span></td><td>{{.Message}}</td>{{end}}</tr>{{end}}{{end}}
</tbody></table></div>{{end}}{{end}}{{end}}
</section>
</main>
</div>
</body>
</html>
`))

// HTML writes the map as a page of its own: the picture, and the same as tables.
func HTML(w io.Writer, m *Map) error {
	figure, err := Figure(m)
	if err != nil {
		return err
	}
	return page.Execute(w, map[string]any{
		"Map": m, "Counts": Counts(m), "Figure": figure, "Policy": webpage.Policy,
		"Style": template.CSS(webpage.Style + Style),
	})
}

// Figure is the picture with its legend, for a page that has webpage.Style and
// Style.
func Figure(m *Map) (template.HTML, error) {
	var b strings.Builder
	b.WriteString(`<figure><div class="scroll" tabindex="0" role="region" aria-label="Map of the deployment, wider than a small screen">`)
	if err := SVG(&b, m, true); err != nil {
		return "", err
	}
	b.WriteString("</div>\n<figcaption class=\"legend\">")
	if m.Checked {
		for _, s := range []State{OK, Broken, Blocked, NotChecked} {
			fmt.Fprintf(&b, `<span><svg class="map" width="44" height="16" aria-hidden="true" focusable="false"><g class="line %s"><path class="stroke" d="M2 8H42"/>%s</g></svg>%s</span>`, class(s), legendSign(s), legendText(s))
		}
	}
	b.WriteString("<span>An arrow points from who calls to who is called. Dashed boxes are outside the deployment.</span></figcaption></figure>")
	return template.HTML(b.String()), nil // SVG escapes every text
}

func legendText(s State) string {
	return map[State]string{OK: "ok", Broken: "broken", Blocked: "blocked: cannot work before another link does", NotChecked: "not checked"}[s]
}

func legendSign(s State) string {
	switch s {
	case Broken:
		return `<g class="sign"><circle cx="22" cy="8" r="7"/><path d="M19 5l6 6m0-6l-6 6"/></g>`
	case Blocked:
		return `<g class="sign"><circle cx="22" cy="8" r="7"/><path d="M19 8h6"/></g>`
	}
	return ""
}
