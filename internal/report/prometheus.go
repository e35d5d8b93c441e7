package report

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Prometheus writes the report for the textfile collector of Prometheus' node
// exporter. Times of certificates are moments, not days left, so that they stay
// true while the file gets older:
//
//	(kopano_doctor_certificate_end_timestamp_seconds - time()) / 86400
func Prometheus(w io.Writer, r *Report) error {
	m := &metrics{}
	project := label("project", r.Deployment.Project)
	m.gauge("kopano_doctor_info", "The program that made this, and the deployment it looked at.", sample{project + "," + label("version", r.Tool.Version), 1})
	m.gauge("kopano_doctor_exit_code", "Exit code of the run: 0 nothing found, 1 found, 3 something could not be checked.", sample{project, float64(r.ExitCode)})
	m.gauge("kopano_doctor_run_duration_seconds", "How long the run took.", sample{project, float64(r.DurationMS) / 1000})
	s := r.Summary
	m.gauge("kopano_doctor_findings", "Findings by severity, without those that are suppressed.",
		sample{project + "," + label("severity", "error"), float64(s.Errors)},
		sample{project + "," + label("severity", "warning"), float64(s.Warnings)},
		sample{project + "," + label("severity", "info"), float64(s.Infos)})
	m.gauge("kopano_doctor_findings_suppressed", "Findings that are suppressed.", sample{project, float64(s.Suppressed)})
	m.gauge("kopano_doctor_links", "Links by what became of them.",
		sample{project + "," + label("status", "ok"), float64(s.LinksOK)},
		sample{project + "," + label("status", "broken"), float64(s.LinksBroken)},
		sample{project + "," + label("status", "unchecked"), float64(s.LinksUnchecked)})

	var up, accepted, unchecked, took, ends []sample
	for i := range r.Links {
		l := &r.Links[i]
		labels := strings.Join([]string{project, label("link", l.ID), label("from", l.From), label("to", l.To), label("protocol", l.Protocol)}, ",")
		if l.Status == "unchecked" { // neither up nor down
			unchecked = append(unchecked, sample{labels + "," + label("reason", l.Reason), 1})
			continue
		}
		up = append(up, sample{labels, number(l.Status == "ok")})
		took = append(took, sample{labels, float64(l.DurationMS) / 1000})
		if l.Suppressed {
			accepted = append(accepted, sample{labels, 1})
		}
		if end, err := time.Parse(time.RFC3339, l.CertificateEnd); err == nil {
			ends = append(ends, sample{labels, float64(end.Unix())})
		}
	}
	m.gauge("kopano_doctor_link_up", "Whether a link works. A link that was not checked is not here, but under kopano_doctor_link_unchecked.", up...)
	m.gauge("kopano_doctor_link_suppressed", "Links that are broken, which is known and accepted.", accepted...)
	m.gauge("kopano_doctor_link_unchecked", "Links that were not checked, and why.", unchecked...)
	m.gauge("kopano_doctor_link_duration_seconds", "How long the check of a link took.", took...)
	m.gauge("kopano_doctor_certificate_end_timestamp_seconds", "When the certificate that a link's server showed ends, as Unix time.", ends...)
	_, err := io.WriteString(w, m.out.String())
	return err
}

type metrics struct{ out strings.Builder }

type sample struct {
	labels string
	value  float64
}

// gauge writes a metric; one without samples is left out.
func (m *metrics) gauge(name, help string, samples ...sample) {
	if len(samples) == 0 {
		return
	}
	fmt.Fprintf(&m.out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name)
	for _, s := range samples {
		fmt.Fprintf(&m.out, "%s{%s} %s\n", name, s.labels, decimal(s.value))
	}
}

// decimal writes a number without an exponent, as people read Unix times.
func decimal(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%.3f", v), "0"), ".")
}

// labelValue escapes as the text format asks: backslash, quote, line feed.
// https://prometheus.io/docs/instrumenting/exposition_formats/
var labelValue = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func label(name, value string) string {
	return name + `="` + labelValue.Replace(printable(value, false)) + `"`
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
