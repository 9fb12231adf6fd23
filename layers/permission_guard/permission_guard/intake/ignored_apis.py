"""The APIs of AWS Lambda's service models that need no check, with the reason.

Web functions, capacity providers, MicroVMs and network connectors have service models of their own, but the same event
source: `lambda.amazonaws.com`. An API that is neither here nor in `cloudtrail.py` is unknown.
"""

from __future__ import annotations

from typing import Final

_WEB: Final = "web functions are not checked"
_CAPACITY: Final = "capacity providers are not checked: they have a role of their own"
_MICROVM: Final = "MicroVMs are not checked"
_CONNECTOR: Final = "network connectors are not checked: they have a role of their own"
_LAYER: Final = "layers are not checked"
_SIGNING: Final = "code signing does not change permissions"
_SCALING: Final = "scaling and runtime settings do not change permissions"
_DURABLE: Final = "durable executions do not change permissions"
_INVOKES: Final = "the call invokes the function, and does not change it"
_TAGS: Final = "tags are read at the next check"
_READS: Final = "the call only reads"
_OLD: Final = "the API of 2014 is no longer in use"

_APIS: Final = {
    _WEB: """
        CreateWebFunction CreateWebFunctionEndpoint CreateWebFunctionRevision DeleteWebFunction
        DeleteWebFunctionEndpoint DeleteWebFunctionRevision UpdateWebFunctionEndpoint GetWebAccountSettings
        GetWebFunction GetWebFunctionEndpoint GetWebFunctionRevision ListWebFunctionEndpoints
        ListWebFunctionRevisions ListWebFunctions
    """,
    _CAPACITY: """
        CreateCapacityProvider DeleteCapacityProvider UpdateCapacityProvider GetCapacityProvider
        ListCapacityProviders ListFunctionVersionsByCapacityProvider
    """,
    _MICROVM: """
        CreateMicrovmAuthToken CreateMicrovmImage CreateMicrovmShellAuthToken DeleteMicrovmImage
        DeleteMicrovmImageVersion ResumeMicrovm RunMicrovm SuspendMicrovm TerminateMicrovm UpdateMicrovmImage
        UpdateMicrovmImageVersion GetMicrovm GetMicrovmImage GetMicrovmImageBuild GetMicrovmImageVersion
        ListManagedMicrovmImageVersions ListManagedMicrovmImages ListMicrovmImageBuilds ListMicrovmImageVersions
        ListMicrovmImages ListMicrovms
    """,
    _CONNECTOR: """
        CreateNetworkConnector DeleteNetworkConnector UpdateNetworkConnector GetNetworkConnector
        ListNetworkConnectorVersions ListNetworkConnectors
    """,
    _LAYER: "AddLayerVersionPermission DeleteLayerVersion PublishLayerVersion RemoveLayerVersionPermission",
    _SIGNING: "CreateCodeSigningConfig DeleteCodeSigningConfig PutFunctionCodeSigningConfig UpdateCodeSigningConfig",
    _SCALING: """
        DeleteProvisionedConcurrencyConfig PutFunctionConcurrency PutFunctionRecursionConfig
        PutFunctionScalingConfig PutProvisionedConcurrencyConfig PutRuntimeManagementConfig
    """,
    _DURABLE: """
        CheckpointDurableExecution SendDurableExecutionCallbackFailure SendDurableExecutionCallbackHeartbeat
        SendDurableExecutionCallbackSuccess StopDurableExecution
    """,
    _INVOKES: "Invoke InvokeAsync InvokeWithResponseStream",
    _TAGS: "TagResource UntagResource",
    _READS: """
        GetAccountSettings GetAlias GetCodeSigningConfig GetDurableExecution GetDurableExecutionHistory
        GetDurableExecutionState GetEventSourceMapping GetFunction GetFunctionCodeSigningConfig
        GetFunctionConcurrency GetFunctionConfiguration GetFunctionEventInvokeConfig GetFunctionRecursionConfig
        GetFunctionScalingConfig GetFunctionUrlConfig GetLayerVersion GetLayerVersionByArn GetLayerVersionPolicy
        GetPolicy GetProvisionedConcurrencyConfig GetResourcePolicy GetRuntimeManagementConfig ListAliases
        ListCodeSigningConfigs ListDurableExecutionsByFunction ListEventSourceMappings
        ListFunctionEventInvokeConfigs ListFunctionUrlConfigs ListFunctions ListFunctionsByCodeSigningConfig
        ListLayerVersions ListLayers ListProvisionedConcurrencyConfigs ListTags ListVersionsByFunction
    """,
    _OLD: "AddEventSource GetEventSource ListEventSources RemoveEventSource UploadFunction",
}

IGNORED_APIS: Final = {name: reason for reason, names in _APIS.items() for name in names.split()}
"""Why each API of AWS Lambda that is not in the table of `cloudtrail.py` needs no check."""

OTHER_RESOURCES: Final = {
    "runtime": "a runtime's policy does not decide who may invoke a function",
    "web-function": _WEB,
    "capacity-provider": _CAPACITY,
    "microvm": _MICROVM,
    "microvm-image": _MICROVM,
    "network-connector": _CONNECTOR,
}
"""Why the policy of a resource of AWS Lambda needs no check, by the type of the resource in its ARN."""
