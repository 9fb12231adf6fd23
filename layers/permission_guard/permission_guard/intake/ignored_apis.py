"""The APIs of AWS Lambda's service models that need no check, with the reason.

Web functions, capacity providers, MicroVMs and network connectors are not functions, but their events come from the
same event source: `lambda.amazonaws.com`. An API that is neither here nor in `cloudtrail.py` is unknown. So are reads
and invocations of functions: EventBridge gets no event of them, unless somebody forwards more than template.yaml does.
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
_TAGS: Final = "tags are read at the next check"
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
    _TAGS: "TagResource UntagResource",
    _OLD: "AddEventSource RemoveEventSource UploadFunction",
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
