package rules

import "slices"

// All gives every rule, in the order of the rule reference: one list per
// subject, in the file of that name.
func All() []Rule {
	return slices.Concat(
		composeRules(),
		yamlRules(),
		variableRules(),
		envFileRules(),
		envLineRules(),
		dollarRules(),
		environmentRules(),
		projectRules(),
		settingRules(),
		kcconfRules(),
		valueRules(),
		settingValueRules(),
		switchRules(),
		wrapperRules(),
		misspeltRules(),
		pathRules(),
		phpAppRules(),
		formatRules(),
		addressRules(),
		insecureRules(),
		tlsRules(),
		ldapRules(),
		ldapMatchRules(),
		mailRules(),
		mailSettingRules(),
		mailRelayRules(),
		mailLoginRules(),
		meetRules(),
		schedulerRules(),
		upkeepRules(),
		storageRules(),
		volumeRules(),
		resourceRules(),
		limitRules(),
		startOrderRules(),
		secretRules(),
		secretFileRules(),
		privilegeRules(),
		hardeningRules(),
		legacyRules(),
		exposureRules(),
		imageRules(),
		linkRules(),
		requiredRules(),
		networkRules(),
		subnetRules(),
		outsideRules(),
		databaseRules(),
		healthRules(),
		publishedRules(),
		socketRules(),
		sslFileRules(),
		credentialRules(),
		directoryRules(),
		issuerRules(),
		mailFlowRules(),
		bridgeRules(),
		webProxyRules(),
	)
}

// Retired gives the IDs of rules that are gone. They are never used again, so
// that a suppression written years ago cannot silence something else.
func Retired() []string { return nil }
